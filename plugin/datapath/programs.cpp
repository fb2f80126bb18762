// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "programs.hpp"

#include "skeleton.hpp"

#include "sallyport/abi.h"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <node.skel.h>
#include <probe.skel.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace sallyport {

namespace {

constexpr __u32 the_meta = 0;

/// libbpf explains itself through a callback of the process. What it says goes to the log, never to stdout or stderr.
int keep_libbpf_message(libbpf_print_level level, const char* format, va_list arguments) noexcept
{
    char text[1024];
    const int length = vsnprintf(text, sizeof text, format, arguments);
    if (level != LIBBPF_DEBUG)
        log_debug(std::string("libbpf: ") + text);
    return length;
}

/// Set before main(): the first libbpf call of a command isn't always ours to know.
[[maybe_unused]] const libbpf_print_fn_t libbpf_default_print = libbpf_set_print(keep_libbpf_message);

[[noreturn]] void refused(const std::string& action, int error)
{
    std::string advice = "the log at level debug says more";
    if (error == EPERM)
        advice = "it needs CAP_BPF and CAP_NET_ADMIN in the initial user namespace, and kernel lockdown "
                 "(`cat /sys/kernel/security/lockdown`) must allow BPF";
    else if (error == ENOSYS || error == EINVAL)
        advice = "kernel 5.10 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF is needed (`uname -r`)";
    throw Error(Code::node_lacks, action + ": " + errno_text(error) + "; " + advice);
}

/// Identifies this binary's object among those that other builds may have pinned.
__u64 object_hash()
{
    std::size_t size = 0;
    const void* bytes = node::elf_bytes(&size);
    return std::hash<std::string_view>{}({static_cast<const char*>(bytes), size});
}

abi::meta read_meta(int fd)
{
    abi::meta meta{};
    if (bpf_map_lookup_elem(fd, &the_meta, &meta) != 0)
        refused("read table meta", errno);
    return meta;
}

bool kernel_csum_knows_ipv6()
{
    const auto probe = open_skeleton<::probe>();
    if (!probe || ::probe::load(probe.get()) != 0)
        refused("load the probe program into the kernel", errno);
    char packet[64] = {};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
    const int error = bpf_prog_test_run_opts(bpf_program__fd(probe->progs.probe_csum_ipv6), &options);
    return error == 0 && options.retval == 1;
}

/// The capacity that the table has, where it is pinned already: a change of configuration takes effect when it is made
/// anew.
__u32 capacity_of(const std::filesystem::path& pinned, __u32 configured)
{
    const UniqueFd fd = open_pinned(pinned);
    bpf_map_info info{};
    __u32 size = sizeof info;
    return fd && bpf_map_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.max_entries : configured;
}

/// The object with all that depends on this node and its configuration set, not yet loaded.
Skeleton<::node> prepare(const StateDir& state, const FlowCapacity& flows)
{
    const std::string pins = state.map("");
    LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = pins.c_str());  // pinned tables are used, others made
    auto object = open_skeleton<::node>(&options);
    if (!object)
        refused("open the BPF object", errno);

    object->rodata->csum_knows_ipv6 = kernel_csum_knows_ipv6();
    object->rodata->have_coarse_clock =
        libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, nullptr) == 1;
    bpf_map__set_max_entries(object->maps.flows_new, capacity_of(state.map("flows_new"), flows.fresh));
    bpf_map__set_max_entries(object->maps.flows_established,
                             capacity_of(state.map("flows_established"), flows.established));
    return object;
}

}  // namespace

bool ensure_programs(const StateDir& state, const FlowCapacity& flows)
{
    const __u64 hash = object_hash();
    if (const UniqueFd meta = open_pinned(state.map("meta"))) {
        const abi::meta found = read_meta(meta.get());
        if (found.abi != 0 && found.abi != SALLYPORT_ABI)
            throw Error(Code::node_lacks, "the tables in " + state.map("").string() + " are of ABI " +
                                              std::to_string(found.abi) + ", and this binary is of ABI " +
                                              std::to_string(SALLYPORT_ABI) +
                                              "; drain the node's gateway pods, then start them anew");
        if (found.abi == SALLYPORT_ABI && found.programs == hash && state.is_complete())
            return false;
    }

    const Skeleton<::node> object = prepare(state, flows);
    if (::node::load(object.get()) != 0)
        refused("load the BPF programs into the kernel", errno);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object->obj)
        pin(bpf_program__fd(program), state.program(bpf_program__name(program)));

    // Last: a command killed before this line leaves what the next one loads again.
    const int fd = bpf_map__fd(object->maps.meta);
    abi::meta meta = read_meta(fd);
    meta.abi = SALLYPORT_ABI;
    meta.programs = hash;
    if (bpf_map_update_elem(fd, &the_meta, &meta, BPF_ANY) != 0)
        refused("write table meta", errno);
    return true;
}

}  // namespace sallyport
