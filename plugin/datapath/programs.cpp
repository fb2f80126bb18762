// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "programs.hpp"

#include "kernel_facts.hpp"
#include "skeleton.hpp"

#include "sallyport/abi.h"
#include "sallyport/error.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/log.hpp"
#include "sallyport/records.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <node.skel.h>
#include <pod.skel.h>
#include <socket.skel.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>

namespace sallyport {

namespace {

/// libbpf explains itself through a callback of the process. What it says goes to the log, never to stdout or stderr.
int keep_libbpf_message(libbpf_print_level level, const char* format, va_list arguments) noexcept
{
    char text[1024];
    const int length = vsnprintf(text, sizeof text, format, arguments);
    const std::string_view line(text);  // it ends in a newline, and mostly begins with its author's name
    if (level != LIBBPF_DEBUG)
        log_debug((line.starts_with("libbpf: ") ? "" : "libbpf: ") +
                  std::string(line.substr(0, line.find_last_not_of('\n') + 1)));
    return length;
}

/// Set before main(): the first libbpf call of a command isn't always ours to know.
[[maybe_unused]] const libbpf_print_fn_t libbpf_default_print = libbpf_set_print(keep_libbpf_message);

/// The capacity that the table has, where it is pinned already: a change of configuration takes effect when it is made
/// anew.
__u32 capacity_of(const std::filesystem::path& pinned, __u32 configured)
{
    const UniqueFd fd = open_pinned(pinned);
    bpf_map_info info{};
    __u32 size = sizeof info;
    return fd && bpf_map_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.max_entries : configured;
}

/// With so many entries a table that evicts the least recently used may begin to: each processor keeps some of the free
/// ones for itself (LOCAL_FREE_TARGET, kernel/bpf/bpf_lru_list.c).
__s64 first_eviction(__u32 capacity)
{
    constexpr __s64 kept_by_each = 128;
    return std::max<__s64>(0, capacity - kept_by_each * libbpf_num_possible_cpus());
}

/// How a set is made. Programs are named here too: to look whether they are pinned must not take reading an object.
struct Recipe
{
    ProgramSet set;
    std::string_view prefix;  ///< of the pins' names
    std::span<const std::string_view> programs;
    __u32 link_header_length;  ///< of the devices
    std::string_view (*bytes)();
    void (*make)(const StateDir&, const FlowCapacity&, const Recipe&);
};

template <typename Object>
std::string_view bytes_of()
{
    std::size_t size = 0;
    const void* bytes = Object::elf_bytes(&size);
    return {static_cast<const char*>(bytes), size};
}

/// Sets what the object wants to know of this node.
template <typename ReadOnly>
void inform(ReadOnly& rodata, const Recipe& recipe)
{
    if constexpr (requires { rodata.link_header_length; })
        rodata.link_header_length = recipe.link_header_length;
    if constexpr (requires { rodata.csum_knows_ipv6; })
        rodata.csum_knows_ipv6 = kernel_csum_knows_ipv6();
    if constexpr (requires { rodata.have_coarse_clock; })
        rodata.have_coarse_clock = kernel_has_coarse_clock();
    if constexpr (requires { rodata.have_set_retval; })
        rodata.have_set_retval = kernel_has_set_retval();
    if constexpr (requires { rodata.sees_v6only; })
        rodata.sees_v6only = kernel_shows_v6only();
    if constexpr (requires { rodata.host_netns_cookie; })
        rodata.host_netns_cookie = netns_cookie();
}

/// Such a table says that programs may only read it, which nobody can ask for. libbpf before 1.7 takes it for another
/// one therefore, and doesn't use it again.
void use_again(bpf_map* table, const std::filesystem::path& pinned)
{
    const UniqueFd fd = open_pinned(pinned);
    if (!fd)
        return;
    bpf_map__set_pin_path(table, nullptr);
    if (bpf_map__reuse_fd(table, fd.get()) != 0)
        kernel_refused("use " + pinned.string(), errno);
}

template <typename Object>
void make(const StateDir& state, const FlowCapacity& flows, const Recipe& recipe)
{
    const std::string pins = state.map("");
    LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = pins.c_str());  // pinned tables are used, others made
    const auto object = open_skeleton<Object>(&options);
    if (!object)
        kernel_refused("open the BPF object", errno);
    inform(*object->rodata, recipe);
    use_again(object->maps.living, state.map("living"));
    const __u32 established = capacity_of(state.map("flows_established"), flows.established);
    bpf_map__set_max_entries(object->maps.flows_new, capacity_of(state.map("flows_new"), flows.fresh));
    bpf_map__set_max_entries(object->maps.flows_established, established);
    bpf_map__set_max_entries(object->maps.flows_answered, capacity_of(state.map("flows_answered"), flows.answered));
    if constexpr (requires { object->rodata->evicts_from; })
        object->rodata->evicts_from = first_eviction(established);
    if (Object::load(object.get()) != 0)
        kernel_refused("load the BPF programs into the kernel", errno);

    for (const std::string_view name : recipe.programs) {
        const bpf_program* program = bpf_object__find_program_by_name(object->obj, std::string(name).c_str());
        pin(bpf_program__fd(program), state.program(std::string(recipe.prefix).append(name)));
    }
}

constexpr std::array<std::string_view, 5> node_programs{"node_ingress", "node_egress", "pod_uplink", "ask_listener",
                                                        "tell_event"};
constexpr std::array<std::string_view, 2> pod_programs{"pod_ingress", "pod_egress"};

constexpr std::array<std::string_view, 10> socket_programs{
    "socket_connect4", "socket_connect6",     "socket_sendmsg4",     "socket_sendmsg6",   "socket_recvmsg4",
    "socket_recvmsg6", "socket_getpeername4", "socket_getpeername6", "socket_post_bind4", "socket_post_bind6"};

using SocketObject = struct ::socket;  // beside the system call of that name

constexpr std::array recipes{
    Recipe{ProgramSet::node, "", node_programs, ETH_HLEN, bytes_of<::node>, make<::node>},
    Recipe{ProgramSet::bare_node, "bare_", node_programs, 0, bytes_of<::node>, make<::node>},
    Recipe{ProgramSet::pod, "", pod_programs, ETH_HLEN, bytes_of<::pod>, make<::pod>},
    Recipe{ProgramSet::bare_pod, "bare_", pod_programs, 0, bytes_of<::pod>, make<::pod>},
    Recipe{ProgramSet::socket, "", socket_programs, 0, bytes_of<SocketObject>, make<SocketObject>},
};

const Recipe& recipe_of(ProgramSet set)
{
    return *std::find_if(recipes.begin(), recipes.end(), [&](const Recipe& recipe) { return recipe.set == set; });
}

/// Identifies this binary's objects among those that other builds may have pinned.
__u64 hash_of_objects()
{
    __u64 hash = 0;
    for (const Recipe& recipe : recipes)
        hash = hash * 31 + std::hash<std::string_view>{}(recipe.bytes());
    return hash;
}

abi::meta read_meta(const UniqueFd& table)
{
    abi::meta meta{};
    if (table && bpf_map_lookup_elem(table.get(), &the_meta, &meta) != 0)
        kernel_refused("read table meta", errno);
    return meta;
}

/// Throws where the tables are of another ABI.
bool is_of_this_binary(const StateDir& state)
{
    require_own_abi({.bpffs = state.bpffs()});
    const abi::meta found = read_meta(open_pinned(state.map("meta")));
    return found.abi == SALLYPORT_ABI && found.programs == hash_of_objects();
}

bool is_pinned(const StateDir& state, const std::vector<std::string>& pins, bool all)
{
    const auto there = [&](const std::string& name) {
        std::error_code ignored;
        return std::filesystem::exists(state.program(name), ignored);
    };
    return all ? std::all_of(pins.begin(), pins.end(), there) : std::any_of(pins.begin(), pins.end(), there);
}

}  // namespace

std::vector<std::string> pins_of(ProgramSet set)
{
    const Recipe& recipe = recipe_of(set);
    std::vector<std::string> pins;
    for (const std::string_view name : recipe.programs)
        pins.push_back(std::string(recipe.prefix).append(name));
    return pins;
}

bool ensure_programs(const StateDir& state, ProgramSet set, const FlowCapacity& flows)
{
    const bool sound = is_of_this_binary(state) && state.has_tables();
    if (sound && is_pinned(state, pins_of(set), true))
        return false;

    for (const Recipe& recipe : recipes)
        if (recipe.set == set || (!sound && is_pinned(state, pins_of(recipe.set), false)))
            recipe.make(state, flows, recipe);
    if (sound)
        return true;

    // Last: a command killed before this line leaves what the next one loads again.
    const UniqueFd table = open_pinned(state.map("meta"));
    abi::meta meta = read_meta(table);
    meta.abi = SALLYPORT_ABI;
    meta.programs = hash_of_objects();
    if (bpf_map_update_elem(table.get(), &the_meta, &meta, BPF_ANY) != 0)
        kernel_refused("write table meta", errno);
    return true;
}

bool programs_are_current(const StateDir& state)
{
    return is_of_this_binary(state);
}

void reload_programs(const StateDir& state, ProgramSet set)
{
    const Recipe& recipe = recipe_of(set);
    recipe.make(state, {}, recipe);
}

}  // namespace sallyport
