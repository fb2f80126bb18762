// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel, mounts and directories.
#include "findings.hpp"

#include "sallyport/doctor.hpp"

#include <array>
#include <cstdlib>
#include <utility>

namespace sallyport {

namespace {

constexpr std::pair<int, int> oldest_kernel{5, 10};

/// nullopt for what doesn't begin like "6.1".
std::optional<std::pair<int, int>> version_of(const std::string& release)
{
    char* end = nullptr;
    const long major = std::strtol(release.c_str(), &end, 10);
    if (end == release.c_str() || *end != '.')
        return std::nullopt;
    return std::pair(static_cast<int>(major), static_cast<int>(std::strtol(end + 1, nullptr, 10)));
}

void check_kernel(const HostFacts& host, Findings& findings)
{
    const auto version = version_of(host.kernel);
    if (version && *version < oldest_kernel)
        findings.failure("kernel", "kernel " + host.kernel + " is older than 5.10", "upgrade the node's kernel");
    else if (!host.root)
        findings.note("kernel", "kernel " + host.kernel);
    else if (!host.lacking.empty())
        findings.failure("kernel", "kernel " + host.kernel + " refuses " + joined(host.lacking),
                         "use a kernel with these options (`zgrep BPF /proc/config.gz`), and look whether lockdown "
                         "forbids BPF (`cat /sys/kernel/security/lockdown`)");
    else
        findings.fine("kernel", "kernel " + host.kernel + " has what is needed" +
                                    (host.tcx ? ", tcx among it" : "; without tcx (6.6), tc filters are used"));
}

void check_forwarding(const HostFacts& host, const Config& config, bool cilium, Findings& findings)
{
    std::vector<std::string> off;
    if (!host.ipv4_forwarding)
        off.emplace_back("net.ipv4.ip_forward");
    if (!host.ipv6_forwarding)
        off.emplace_back("net.ipv6.conf.all.forwarding");
    if (off.empty() || config.fast_path)
        findings.fine("forwarding", off.empty() ? "the kernel forwards IPv4 and IPv6"
                                                : "fastPath is on: the kernel need not forward, but for "
                                                  "answers by another device than their requests came in by");
    else if (cilium)  // which may hand packets to pods without the kernel's routing
        findings.note("forwarding", joined(off) + " is off, which Cilium can do without");
    else if (host.ipv4_forwarding)
        findings.warning("forwarding", joined(off) + " is 0: no packet reaches a pod over IPv6",
                         "`sysctl -w " + off[0] + "=1`, and in /etc/sysctl.d, if pods have IPv6");
    else
        findings.failure("forwarding", joined(off) + " is 0: no packet reaches a pod",
                         "`sysctl -w " + off[0] + "=1`, and in /etc/sysctl.d");
}

void check_cgroup(const HostFacts& host, const Config& config, Findings& findings)
{
    const std::string cgroup = config.paths.cgroup;
    if (!host.cgroup)
        findings.warning("cgroup",
                         cgroup + " isn't a cgroup v2 directory: the node's own processes and pods don't reach node "
                                  "ports, and may bind them",
                         "mount it (`mount -t cgroup2 none " + cgroup +
                             "`) or set `cgroup`; from outside, node ports work without");
    else if (host.cgroup_children == 0)
        findings.warning("cgroup", "cgroup " + host.cgroup->string() + " has no children, and only those are served",
                         "set `cgroup` to the root of the node's cgroup v2 tree, as the node itself has it");
    else
        findings.fine("cgroup", "cgroup v2 at " + host.cgroup->string() + ", " + std::to_string(host.cgroup_children) +
                                    " cgroups below it");
}

}  // namespace

std::vector<Finding> check_host(const HostFacts& host, const Config& config, bool cilium)
{
    Findings findings("node");
    if (!host.root)
        findings.failure("root", "not run as root: what is in the kernel can't be seen", "run it as root");
    check_kernel(host, findings);
    const std::string bpffs = config.paths.bpffs;
    if (host.bpffs_mounted)
        findings.fine("bpffs", "a BPF file system is mounted at " + bpffs);
    else
        findings.failure("bpffs", "no BPF file system is mounted at " + bpffs,
                         "`mount -t bpf bpf " + bpffs + "`, or set `bpffs` to where it is (`findmnt -t bpf`)");
    check_cgroup(host, config, findings);
    if (!host.state_dir_problem.empty())
        findings.failure("state-dir", host.state_dir_problem, "set `stateDir` to a directory that root may write");
    else
        findings.fine("state-dir", "the lock in " + config.paths.state_dir.string() + " can be had");
    check_forwarding(host, config, cilium, findings);
    return findings.take();
}

}  // namespace sallyport
