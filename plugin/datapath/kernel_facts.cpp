// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "kernel_facts.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <bpf/bpf.h>
#include <probe.skel.h>
#include <sys/socket.h>

#include <cerrno>

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
