// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "loading.hpp"

#include <bpf/bpf.h>
#include <catch2/catch_test_macros.hpp>
#include <probe.skel.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

namespace sallyport::test {

namespace {

[[noreturn]] void fail(const std::string& what, int error = errno)
{
    throw std::system_error(error, std::generic_category(), what);
}

/// The network namespace is "the node"; /run is where namespaces of pods are kept.
void enter_private_namespaces()
{
    if (geteuid() != 0)
        SKIP("the packet tests need root");
    static bool done = false;
    if (std::exchange(done, true))
        return;
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
        fail("unshare");
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
        fail("mount /run");
    mount("sysfs", "/sys", "sysfs", 0, nullptr);
    std::filesystem::create_directories("/run/netns");
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
        return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
    });
}

bool ask_csum_knows_ipv6()
{
    const auto probe = open_skeleton<::probe>();
    if (!probe || ::probe::load(probe.get()) != 0)
        fail("load the probe");
    return test_run(bpf_program__fd(probe->progs.probe_csum_ipv6), "probe_csum_ipv6", Bytes(64)).verdict == 1;
}

template <typename Object>
Skeleton<Object> open_unpinned(unsigned link_header)
{
    static const bool csum_knows_ipv6 = ask_csum_knows_ipv6();
    static const bool have_coarse_clock =
        libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, nullptr) == 1;
    auto object = open_skeleton<Object>();
    if (!object)
        fail("open the object");
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object->obj) bpf_map__set_pin_path(map, nullptr);
    object->rodata->csum_knows_ipv6 = csum_knows_ipv6;
    object->rodata->have_coarse_clock = have_coarse_clock;
    object->rodata->link_header_length = link_header;
    return object;
}

/// A table, and not an object's own memory.
bool is_shared(const bpf_map* map)
{
    const std::string name = bpf_map__name(map);
    return name != "scratch" && name.find('.') == std::string::npos;
}

}  // namespace

Skeleton<::node> load_node(const LoadOptions& options)
{
    enter_private_namespaces();
    auto object = open_unpinned<::node>(options.link_header);
    bpf_map__set_max_entries(object->maps.flows_new, options.fresh);
    bpf_map__set_max_entries(object->maps.flows_established, options.established);
    bpf_map__set_max_entries(object->maps.flows_answered, options.answered);
    if (::node::load(object.get()) != 0)
        fail("load the node's programs");
    return object;
}

Skeleton<::pod> load_pod(const ::node& node)
{
    auto object = open_unpinned<::pod>(14);
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object->obj)
    {
        const bpf_map* table = bpf_object__find_map_by_name(node.obj, bpf_map__name(map));
        if (is_shared(map) && (table == nullptr || bpf_map__reuse_fd(map, bpf_map__fd(table)) != 0))
            fail(std::string("share the table ") + bpf_map__name(map));
    }
    if (::pod::load(object.get()) != 0)
        fail("load the pod's programs");
    return object;
}

Outcome test_run(int program, const std::string& name, const Bytes& packet)
{
    Outcome outcome{0, Bytes(packet.size() + 256)};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_out = outcome.out.data(),
                .data_size_in = static_cast<__u32>(packet.size()),
                .data_size_out = static_cast<__u32>(outcome.out.size()));
    if (const int error = bpf_prog_test_run_opts(program, &options); error != 0)
        fail("run " + name + " on " + std::to_string(packet.size()) + " bytes", -error);
    outcome.verdict = static_cast<int>(options.retval);
    outcome.out.resize(options.data_size_out);
    return outcome;
}

std::uint64_t monotonic_now()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace sallyport::test
