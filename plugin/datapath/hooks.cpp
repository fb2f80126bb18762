// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "hooks.hpp"

#include "sallyport/datapath.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <optional>
#include <set>
#include <thread>

namespace sallyport {

namespace {

// Of one priority and protocol, the kernel runs the newest filter first. At Cilium's own priority, under a handle of
// our own, we run before it and stay there when it replaces its handle 1.
constexpr __u32 filter_priority = 1;
// Two handles, so that ours can be added anew at the head before the older one goes.
constexpr std::array<__u32, 2> filter_handles{0x5a11, 0x5a12};

constexpr std::array directions{Direction::ingress, Direction::egress};

std::string name_of(Direction direction)
{
    return direction == Direction::ingress ? "ingress" : "egress";
}

std::string pin_name(int ifindex, Direction direction)
{
    return std::to_string(ifindex) + "-" + name_of(direction);
}

/// The parts of a pin's name.
struct Place
{
    int ifindex = 0;
    Direction direction = Direction::ingress;
};

std::optional<Place> parse_pin_name(const std::string& name)
{
    Place place;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, place.ifindex);
    if (error != std::errc{})
        return std::nullopt;
    for (const Direction direction : directions)
        if ("-" + name_of(direction) == std::string_view(rest, end)) {
            place.direction = direction;
            return place;
        }
    return std::nullopt;
}

bpf_attach_type tcx_type(Direction direction)
{
    return direction == Direction::ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
}

bpf_tc_hook clsact_hook(int ifindex, Direction direction)
{
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = ifindex;
    hook.attach_point = direction == Direction::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
    return hook;
}

/// Our filter on a device.
struct Filter
{
    __u32 handle = 0;
    __u32 program = 0;  ///< id
};

std::vector<Filter> find_filters(const bpf_tc_hook& hook)
{
    std::vector<Filter> found;
    for (const __u32 handle : filter_handles) {
        LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = filter_priority);
        if (bpf_tc_query(&hook, &options) == 0)
            found.push_back({handle, options.prog_id});
    }
    return found;
}

void remove_filter(const bpf_tc_hook& hook, __u32 handle)
{
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = filter_priority);
    bpf_tc_detach(&hook, &options);  // fails where the device, or the filter, is gone: as wanted
}

/// An empty handle with errno set where the kernel refuses.
UniqueFd create_link(int ifindex, Direction direction, int program)
{
    // A command killed before it pinned its link leaves one that the kernel takes down some time later. Until then our
    // program is in the chain, and the kernel takes none twice.
    constexpr int attempts = 1000;
    for (int i = 1;; i++) {
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BPF_F_BEFORE);  // no anchor: the head of the chain
        UniqueFd link(bpf_link_create(program, ifindex, tcx_type(direction), &options));
        if (link || errno != EEXIST || i == attempts)
            return link;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

/// The id of a program; 0 where the kernel doesn't say.
__u32 program_id(int fd)
{
    bpf_prog_info info{};
    __u32 size = sizeof info;
    return bpf_prog_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

std::string program_name(__u32 id)
{
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    __u32 size = sizeof info;
    return fd && bpf_prog_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.name : "";
}

/// Programs on a device's ingress; with tcx, else the one filter that Cilium's would be.
std::vector<__u32> ingress_programs(int ifindex)
{
    std::array<__u32, 64> ids{};
    LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids.data(), .prog_cnt = ids.size());
    if (bpf_prog_query_opts(ifindex, BPF_TCX_INGRESS, &query) == 0)
        return {ids.begin(), ids.begin() + std::min<std::size_t>(query.count, ids.size())};

    const bpf_tc_hook hook = clsact_hook(ifindex, Direction::ingress);
    LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 1, .priority = 1);
    if (bpf_tc_query(&hook, &filter) == 0)
        return {filter.prog_id};
    return {};
}

}  // namespace

void Hooks::follow(const std::vector<Device>& devices) const
{
    std::set<std::string> wanted;
    for (const Device& device : devices)
        for (const Direction direction : directions)
            wanted.insert(pin_name(device.ifindex, direction));
    for (const auto& directory : {state_.links(), state_.filters()})
        for (const std::string& name : names_in(directory))
            if (!wanted.contains(name))
                leave(name);
    for (const Device& device : devices)
        for (const Direction direction : directions)
            attach(device, direction);
}

void Hooks::attach(const Device& device, Direction direction) const
{
    const std::string action = "attach " + name_of(direction) + " to " + device.name;
    try {
        const UniqueFd program = pinned_program(direction);
        const __u32 running = attached_program(device.ifindex, direction);
        std::error_code ignored;
        const bool by_link = std::filesystem::exists(state_.links() / pin_name(device.ifindex, direction), ignored);
        if (by_link && running == program_id(program.get()))
            return;  // a filter is always added anew: others may have come before it
        if (running == 0)
            leave(pin_name(device.ifindex, direction));  // a pin of this name belongs to a device that is gone
        if (!attach_tcx(device, direction, program.get()))
            attach_filter(device, direction, program.get());
    } catch (const Error& error) {
        throw error.during(action);
    }
    log_info(action + ": done");
}

UniqueFd Hooks::pinned_program(Direction direction) const
{
    const auto path = state_.program("node_" + name_of(direction));
    UniqueFd program = open_pinned(path);
    if (!program)
        throw Error(Code::io_failure,
                    "open " + path.string() + ": it isn't there; the next ADD of a gateway pod makes it anew");
    return program;
}

/// False where the kernel has no tcx.
bool Hooks::attach_tcx(const Device& device, Direction direction, int program) const
{
    const auto path = state_.links() / pin_name(device.ifindex, direction);
    if (const UniqueFd link = open_pinned(path)) {
        if (bpf_link_update(link.get(), program, nullptr) != 0)
            throw Error(Code::io_failure, "replace the program: " + errno_text(errno));
        return true;
    }
    const UniqueFd link = create_link(device.ifindex, direction, program);
    if (!link && errno == EINVAL)
        return false;  // no tcx before kernel 6.6
    if (!link)
        throw Error(Code::node_lacks, errno_text(errno) + "; `bpftool net show` lists who else is attached");
    pin(link.get(), path);
    return true;
}

void Hooks::attach_filter(const Device& device, Direction direction, int program) const
{
    bpf_tc_hook hook = clsact_hook(device.ifindex, direction);
    if (const int error = bpf_tc_hook_create(&hook); error != 0 && error != -EEXIST)
        throw Error(Code::node_lacks, "make clsact: " + errno_text(-error) +
                                          "; the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF");
    // The pin is a note that we were here, and so comes first: DEL looks for it.
    pin(program, state_.filters() / pin_name(device.ifindex, direction));
    const auto older = find_filters(hook);
    const bool first_is_free = older.empty() || older.front().handle != filter_handles[0];
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE,
                .handle = filter_handles[first_is_free ? 0 : 1], .priority = filter_priority);
    if (const int error = bpf_tc_attach(&hook, &options); error != 0)
        throw Error(Code::node_lacks, "add a tc filter: " + errno_text(-error));
    for (const Filter& filter : older)
        if (filter.handle != options.handle)
            remove_filter(hook, filter.handle);
}

/// The id of the program that runs there by our doing; 0 where none does.
__u32 Hooks::attached_program(int ifindex, Direction direction) const
{
    const std::string name = pin_name(ifindex, direction);
    if (const UniqueFd link = open_pinned(state_.links() / name)) {
        bpf_link_info info{};
        __u32 size = sizeof info;
        const bool alive = bpf_link_get_info_by_fd(link.get(), &info, &size) == 0 &&
                           static_cast<int>(info.tcx.ifindex) == ifindex;  // 0 once its device is gone
        return alive ? info.prog_id : 0;
    }
    if (!open_pinned(state_.filters() / name))
        return 0;
    const auto filters = find_filters(clsact_hook(ifindex, direction));
    return filters.empty() ? 0 : filters.front().program;
}

void Hooks::leave(const std::string& name) const
{
    const auto place = parse_pin_name(name);
    std::error_code error;
    if (place && std::filesystem::exists(state_.filters() / name, error)) {
        const bpf_tc_hook hook = clsact_hook(place->ifindex, place->direction);
        for (const Filter& filter : find_filters(hook))
            remove_filter(hook, filter.handle);
        std::filesystem::remove(state_.filters() / name, error);
    }
    // Detached by name: left to the last reference, the kernel would do it some time after we have answered.
    if (const UniqueFd link = open_pinned(state_.links() / name))
        bpf_link_detach(link.get());
    std::filesystem::remove(state_.links() / name, error);
}

std::vector<std::string> Hooks::missing(const std::vector<Device>& devices) const
{
    std::vector<std::string> missing;
    for (const Direction direction : directions) {
        const __u32 wanted = program_id(pinned_program(direction).get());
        for (const Device& device : devices)
            if (attached_program(device.ifindex, direction) != wanted)
                missing.push_back(name_of(direction) + " of " + device.name);
    }
    return missing;
}

std::vector<std::string> Hooks::devices() const
{
    std::set<std::string> devices;
    for (const auto& directory : {state_.links(), state_.filters()})
        for (const std::string& name : names_in(directory)) {
            const auto place = parse_pin_name(name);
            char device[IF_NAMESIZE] = {};
            if (place && attached_program(place->ifindex, place->direction) != 0 &&
                if_indextoname(static_cast<unsigned>(place->ifindex), device) != nullptr)
                devices.insert(device);
        }
    return {devices.begin(), devices.end()};
}

void Hooks::leave_all() const
{
    follow({});
}

std::vector<Device> devices_of_cilium(const std::vector<Device>& devices)
{
    // Kernel names are cut at 15 characters; below tcx the device's name follows.
    const auto runs_cilium = [](const Device& device) {
        const auto ids = ingress_programs(device.ifindex);
        return std::any_of(ids.begin(), ids.end(),
                           [](__u32 id) { return program_name(id).starts_with("cil_from_netdev"); });
    };
    std::vector<Device> found;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(found), runs_cilium);
    return found;
}

}  // namespace sallyport
