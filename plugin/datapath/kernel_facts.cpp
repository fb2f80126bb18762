// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "kernel_facts.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <probe.skel.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace sallyport {

void kernel_refused(const std::string& action, int error)
{
    std::string advice = "the log at level debug says more";
    if (error == EPERM)
        advice = "it needs CAP_BPF and CAP_NET_ADMIN in the initial user namespace, and kernel lockdown "
                 "(`cat /sys/kernel/security/lockdown`) must allow BPF";
    else if (error == ENOSYS || error == EINVAL)
        advice = "kernel 5.10 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF is needed (`uname -r`)";
    throw Error(Code::node_lacks, action + ": " + errno_text(error) + "; " + advice);
}

bool kernel_csum_knows_ipv6()
{
    const auto probe = open_skeleton<::probe>();
    if (!probe || ::probe::load(probe.get()) != 0)
        kernel_refused("load the probe program into the kernel", errno);
    char packet[64] = {};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
    const int error = bpf_prog_test_run_opts(bpf_program__fd(probe->progs.probe_csum_ipv6), &options);
    return error == 0 && options.retval == 1;
}

bool kernel_has_coarse_clock()
{
    return libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, nullptr) == 1;
}

bool kernel_has_set_retval()
{
    return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK, BPF_FUNC_set_retval, nullptr) == 1;
}

bool kernel_shows_v6only()
{
    if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK, BPF_FUNC_probe_read_kernel, nullptr) != 1)
        return false;
    const auto probe = open_skeleton<::probe>();
    if (!probe)
        return false;
    bpf_program__set_autoload(probe->progs.probe_csum_ipv6, false);
    bpf_program__set_autoload(probe->progs.probe_v6only, true);
    if (::probe::load(probe.get()) != 0)
        return false;
    for (const int only : {0, 1}) {
        const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in6 bound{};
        bound.sin6_family = AF_INET6;
        socklen_t size = sizeof bound;
        if (!socket || ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0 ||
            ::bind(socket.get(), reinterpret_cast<sockaddr*>(&bound), size) != 0 ||
            ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
            return false;
        char packet[64] = {};
        std::memcpy(packet, &bound.sin6_port, sizeof bound.sin6_port);
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
        const __u32 expected = only == 1 ? 2 : 1;  // enum v6only of bpf/probe.bpf.c
        if (bpf_prog_test_run_opts(bpf_program__fd(probe->progs.probe_v6only), &options) != 0 ||
            options.retval != expected)
            return false;
    }
    return true;
}

std::uint64_t netns_cookie()
{
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
        return 0;
    return cookie;
}

}  // namespace sallyport
