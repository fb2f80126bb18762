// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "pod_hooks.hpp"

#include "tcx.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/netlink.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <functional>

namespace sallyport {

/// "<generation>-<direction>", with what tells the program in front.
struct PodHooks::Pin
{
    PinName name;
    std::string prefix;

    std::string to_string() const { return prefix + name.to_string(); }
};

namespace {

constexpr const char* plain = "";
constexpr const char* bare = "bare_";      // the device has no link-layer header
constexpr const char* uplink = "uplink_";  // on the host's end

std::string prefix_for(const Device& of_pod)
{
    return of_pod.link_header == LinkHeader::none ? bare : plain;
}

/// The pod's own device; the thread is in its namespace.
Device device_of_pod(const std::string& ifname)
{
    Device device = read_device(ifname);
    if (device.link_header == LinkHeader::other)
        throw Error(Code::node_lacks,
                    "its frames begin neither with an Ethernet nor with an IP header; `ip link show` in "
                    "the pod's namespace tells its kind");
    return device;
}

/// Runs `work` with the thread in the pod's namespace, and the pod's device; does nothing where either is gone.
void visit(const BoundPod& pod, const std::function<void(const Device&)>& work)
{
    try {
        const Netns netns = open_netns(pod.netns);
        if (netns.identity == pod.netns_identity)
            in_netns(netns, [&] { work(device_of_pod(pod.id.ifname)); });
    } catch (const Error& error) {
        log_debug("the device of pod " + pod.pod() + ": " + error.what());
    }
}

}  // namespace

std::vector<PodHooks::Pin> PodHooks::pins() const
{
    std::vector<Pin> pins;
    for (const auto& directory : {state_.pod_links(), state_.pod_filters()})
        for (const std::string& name : names_in(directory)) {
            const std::string prefix = name.substr(0, name.find_first_of("0123456789"));
            if (const auto parsed = parse_pin_name(name.substr(prefix.size())))
                pins.push_back({*parsed, prefix});
        }
    return pins;
}

Hook PodHooks::hook(int ifindex, const Pin& pin) const
{
    return {
        {ifindex, pin.name.direction}, state_.pod_links() / pin.to_string(), state_.pod_filters() / pin.to_string()};
}

std::filesystem::path PodHooks::path_of_program(const Pin& pin) const
{
    return state_.program(pin.prefix == uplink ? "pod_uplink" : pin.prefix + "pod_" + name_of(pin.name.direction));
}

UniqueFd PodHooks::pinned_program(const Pin& pin) const
{
    const auto path = path_of_program(pin);
    UniqueFd program = open_pinned(path);
    if (!program)
        throw Error(Code::io_failure, "open " + path.string() + ": it isn't there");
    return program;
}

void PodHooks::hand_on(End end, std::uint64_t generation, std::uint64_t next) const
{
    for (const Pin& pin : pins()) {
        if (pin.name.number != generation || (pin.prefix == uplink) != (end == End::host))
            continue;
        const Pin renamed{{next, pin.name.direction}, pin.prefix};
        for (const auto& directory : {state_.pod_links(), state_.pod_filters()}) {
            std::error_code ignored;  // it is in one of the two
            std::filesystem::rename(directory / pin.to_string(), directory / renamed.to_string(), ignored);
        }
    }
}

void PodHooks::attach(const Netns& netns, const std::string& ifname, std::uint64_t generation) const
{
    try {
        in_netns(netns, [&] {
            const Device device = device_of_pod(ifname);
            const std::string prefix = prefix_for(device);
            ensure_programs(state_, prefix == bare ? ProgramSet::bare_pod : ProgramSet::pod);
            for (const Direction direction : directions) {
                const Pin pin{{generation, direction}, prefix};
                const Hook hook = this->hook(device.ifindex, pin);
                if (hook.is_displaced_link())
                    hook.leave();  // ADD comes before the pod's containers: nobody misses us for that moment
                hook.run_first(pinned_program(pin).get());
            }
        });
    } catch (const Error& error) {
        throw error.during("attach to the pod's device " + ifname);
    }
}

void PodHooks::attach_uplink(const Device& host_end, std::uint64_t generation) const
{
    const Pin pin{{generation, Direction::ingress}, uplink};
    const Hook hook = this->hook(host_end.ifindex, pin);
    try {
        if (hook.is_displaced_link())
            hook.leave();  // the same program can't be put first otherwise; meanwhile replies take the host's stack
        hook.run_first(pinned_program(pin).get());
    } catch (const Error& error) {
        throw error.during("attach to " + host_end.name + ", the host's end of the pod's device");
    }
}

void PodHooks::note_missing(int ifindex, const Pin& pin, const std::string& where,
                            std::vector<std::string>& missing) const
{
    if (const auto lack = hook(ifindex, pin).missing(where))
        missing.push_back(*lack);
}

std::vector<std::string> PodHooks::missing_uplink(const Device& host_end, std::uint64_t generation) const
{
    const Direction direction = Direction::ingress;
    std::vector<std::string> missing;
    note_missing(host_end.ifindex, {{generation, direction}, uplink}, name_of(direction) + " of " + host_end.name,
                 missing);
    return missing;
}

std::vector<std::string> PodHooks::missing(const Netns& netns, const std::string& ifname,
                                           std::uint64_t generation) const
{
    std::vector<std::string> missing;
    in_netns(netns, [&] {
        const Device device = device_of_pod(ifname);
        for (const Direction direction : directions)
            note_missing(device.ifindex, {{generation, direction}, prefix_for(device)},
                         name_of(direction) + " of the pod's " + ifname, missing);
    });
    return missing;
}

void PodHooks::update(const std::vector<BoundPod>& pods) const
{
    for (const Pin& pin : pins())
        try {
            update(pin, pods);
        } catch (const Error& error) {
            log_warning("replace the program of pod hook " + pin.to_string() + ": " + error.what());
        }
}

void PodHooks::update(const Pin& pin, const std::vector<BoundPod>& pods) const
{
    const UniqueFd program = pinned_program(pin);
    if (const UniqueFd link = open_pinned(state_.pod_links() / pin.to_string())) {
        const auto found = describe_link(link.get());
        const bool outdated = found && found->ifindex != 0 && found->program != program_id(program.get());
        if (outdated && bpf_link_update(link.get(), program.get(), nullptr) != 0)
            throw Error(Code::io_failure, errno_text(errno));
        return;
    }
    const auto pod = std::find_if(pods.begin(), pods.end(),
                                  [&](const BoundPod& each) { return each.generation == pin.name.number; });
    if (pod != pods.end())
        visit(*pod, [&](const Device& device) {
            const Hook filter = hook(device.ifindex, pin);
            if (filter.program() != program_id(program.get()))
                filter.run_first(program.get());
        });
}

void PodHooks::forget_others(const std::set<std::uint64_t>& generations, const std::vector<BoundPod>& known) const
{
    for (const Pin& pin : pins()) {
        if (generations.contains(pin.name.number))
            continue;
        std::error_code ignored;
        if (std::filesystem::exists(state_.pod_filters() / pin.to_string(), ignored))
            for (const BoundPod& pod : known)
                if (pod.generation == pin.name.number)
                    visit(pod, [&](const Device& device) { hook(device.ifindex, pin).leave(); });
        hook(0, pin).leave();  // the link, or the note of a filter
    }
}

bool PodHooks::any() const
{
    return has_filters() || !names_in(state_.pod_links()).empty();
}

bool PodHooks::has_filters() const
{
    return !names_in(state_.pod_filters()).empty();
}

}  // namespace sallyport
