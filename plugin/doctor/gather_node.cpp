// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The facts that the kernel knows: mounts, devices, and what of ours is in it.
#include "gather.hpp"

#include "sallyport/cri.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/devices.hpp"
#include "sallyport/error.hpp"
#include "sallyport/follow.hpp"
#include "sallyport/frontends.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/os/netns.hpp"

#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>

namespace sallyport {

namespace fs = std::filesystem;

namespace {

bool is_file_system(const fs::path& path, unsigned long magic)
{
    struct statfs file_system{};
    return ::statfs(path.c_str(), &file_system) == 0 && static_cast<unsigned long>(file_system.f_type) == magic;
}

/// Whether it is set; true also where the kernel has no such setting, as with IPv6 disabled.
bool is_on(const char* setting)
{
    std::ifstream in(setting);
    int value = 1;
    in >> value;
    return !in || value != 0;
}

/// The kernel's list of ports, "8080,9000-9010"; empty where the file says anything else.
std::vector<PortRange> read_ports(const char* setting)
{
    std::ifstream in(setting);
    std::vector<PortRange> ranges;
    for (PortRange range; in >> range.first; in.ignore()) {
        range.last = range.first;
        if (in.peek() == '-' && in.ignore())
            in >> range.last;
        ranges.push_back(range);
    }
    return ranges;
}

/// net.ipv4.ip_local_port_range without what net.ipv4.ip_local_reserved_ports takes out; IPv6 has no other.
std::vector<PortRange> gather_given_ports()
{
    std::ifstream in("/proc/sys/net/ipv4/ip_local_port_range");
    PortRange rest;
    std::vector<PortRange> given;
    if (!(in >> rest.first >> rest.last))
        return {};
    for (const PortRange& reserved : read_ports("/proc/sys/net/ipv4/ip_local_reserved_ports")) {  // in order
        if (reserved.last < rest.first || reserved.first > rest.last)
            continue;
        if (reserved.first > rest.first)
            given.push_back({rest.first, static_cast<std::uint16_t>(reserved.first - 1)});
        if (reserved.last >= rest.last)
            return given;
        rest.first = static_cast<std::uint16_t>(reserved.last + 1);
    }
    given.push_back(rest);
    return given;
}

void gather_cgroup(const fs::path& configured, HostFacts& host)
{
    for (const fs::path& path : {configured, configured / "unified"})  // as SocketHooks looks for it
        if (!host.cgroup && is_file_system(path, CGROUP2_SUPER_MAGIC))
            host.cgroup = path;
    std::error_code error;
    for (fs::directory_iterator entry(host.cgroup.value_or(fs::path()), error), end; !error && entry != end;
         entry.increment(error))
        host.cgroup_children += entry->is_directory(error) ? 1 : 0;
}

/// Why nobody could take the lock. Makes nothing: where it isn't there yet, could it be made?
std::string problem_of_state_dir(const fs::path& directory)
{
    constexpr std::chrono::seconds patience{2};
    std::error_code ignored;
    if (fs::exists(directory / "lock", ignored)) {
        try {
            FileLock::take(directory, patience);
            return {};
        } catch (const Error& error) {
            return error.what();
        }
    }
    fs::path there = fs::absolute(directory, ignored);
    while (!fs::exists(there, ignored) && there.has_relative_path())
        there = there.parent_path();
    return ::access(there.c_str(), W_OK | X_OK) == 0
               ? ""
               : "the lock can't be made in " + directory.string() + ": " + there.string() + ": " + errno_text(errno);
}

HostFacts gather_host(const Paths& paths)
{
    HostFacts host;
    host.root = ::geteuid() == 0;
    utsname name{};
    ::uname(&name);
    host.kernel = name.release;
    if (host.root) {
        host.lacking = missing_in_kernel();
        host.tcx = kernel_has_tcx();
        host.state_dir_problem = problem_of_state_dir(paths.state_dir);
    }
    host.ipv4_forwarding = is_on("/proc/sys/net/ipv4/ip_forward");
    host.ipv6_forwarding = is_on("/proc/sys/net/ipv6/conf/all/forwarding");
    host.bpffs_mounted = is_file_system(paths.bpffs, BPF_FS_MAGIC);
    gather_cgroup(paths.cgroup, host);
    return host;
}

RuntimeFacts gather_runtime(const std::string& cri_socket)
{
    RuntimeFacts runtime;
    const auto socket = find_cri_socket(cri_socket);
    if (!socket)
        return runtime;
    runtime.socket = *socket;
    try {
        RuntimeVersion answer = CriClient(*socket).version();
        runtime.name = std::move(answer.name);
        runtime.version = std::move(answer.version);
    } catch (const Error& error) {
        runtime.problem = error.what();
    }
    return runtime;
}

std::vector<HeldAddress> gather_addresses(const Surroundings& node)
{
    std::vector<HeldAddress> held;
    for (const LocalAddress& local : node.network.addresses) {
        const auto is_holder = [&](const Device& device) { return device.ifindex == local.ifindex; };
        const auto device = std::ranges::find_if(node.network.devices, is_holder);
        if (device == node.network.devices.end() || local.address.is_loopback() || local.address.is_link_local())
            continue;
        const bool outside = std::ranges::any_of(node.outside, is_holder);
        held.push_back({local, device->name, outside, !outside && device->link_netns.has_value()});
    }
    return held;
}

NetworkFacts gather_network(const Config& config, const Surroundings& node, const ChainFacts& chain)
{
    NetworkFacts network;
    network.devices = node.outside;
    try {
        require_any(node.outside, config.devices);
    } catch (const Error& error) {
        network.problem = error.what();
    }
    network.addresses = gather_addresses(node);
    network.answered = node.answered;
    network.given_ports = gather_given_ports();
    for (const Device& device : network.devices)
        if (device.xdp_program) {
            const std::string program = bpf_program_name(*device.xdp_program);
            network.xdp.push_back(device.name + (program.empty() ? "" : " (" + program + ")"));
        }
    const auto& types = chain.active ? chain.active->types : std::vector<std::string>{};
    network.cilium = std::find(types.begin(), types.end(), "cilium-cni") != types.end() ||
                     !guarded_by_cilium(network.devices).empty();
    return network;
}

/// Of a prefix that is answered: does the node, as it is configured, want that no more?
bool is_stale(const Prefix& prefix, const Answered& wanted)
{
    return prefix.length == 128 ? !wanted.contains(prefix.address)
                                : std::ranges::find(wanted.configured, prefix) == wanted.configured.end();
}

DatapathFacts gather_datapath(const Datapath& datapath, const ConfigFacts& config, const Surroundings& node)
{
    DatapathFacts facts;
    facts.report = report_node(datapath, std::nullopt);
    if (!facts.report.node_ports.empty())
        facts.missing_hooks = datapath.missing_hooks(node.outside);
    for (const Address& address : node.answered.own)
        if (node.answered.contains(address) && !facts.report.answered.contains(address))
            facts.unanswered.push_back(address);
    for (const Prefix& prefix : facts.report.answered.prefixes())
        if (!config.source.empty() && is_stale(prefix, node.answered))
            facts.stale.push_back(prefix);
    for (const BoundPod& pod : datapath.bindings().pods())
        if (pod.gone || identify_netns(pod.netns) != pod.netns_identity)
            facts.vanished.push_back(pod.pod());
    return facts;
}

std::vector<Address> addresses_of_pods(const NodeReport& report)
{
    std::vector<Address> addresses;
    for (const NodePortReport& port : report.node_ports)
        for (const PodReport& pod : port.pods)
            addresses.push_back(pod.backend.address);
    std::ranges::sort(addresses);
    const auto repeated = std::ranges::unique(addresses);
    addresses.erase(repeated.begin(), repeated.end());
    return addresses;
}

std::vector<Frontend> gather_frontends(const Paths& paths, const NodeReport& report)
{
    std::vector<NodePort> node_ports;
    std::ranges::transform(report.node_ports, std::back_inserter(node_ports), &NodePortReport::node_port);
    return find_taken_over(paths.bpffs, node_ports, report.answered);
}

StateFacts gather_state(const Paths& paths, const NodeNetwork& network)
{
    StateFacts state;
    state.exists = Datapath::exists(paths);
    if (!state.exists) {
        state.elsewhere = devices_that_run_ours(network.devices);
        return state;
    }
    state.abi = pinned_abi(paths);
    const bool readable = !state.abi || *state.abi == SALLYPORT_ABI;
    state.complete = readable && Datapath::find(paths).has_value();
    state.of_this_build = state.complete && Datapath::is_current(paths);
    return state;
}

}  // namespace

Facts gather_facts(const DoctorOptions& options)
{
    Facts facts;
    facts.chain = gather_chain(options.cni_conf_dir);
    facts.config = gather_config(facts.chain, options.config);
    Paths& paths = facts.config.config.paths;
    paths.bpffs = options.bpffs.value_or(paths.bpffs);
    facts.binary = gather_binary(options.cni_bin_dir);
    facts.host = gather_host(paths);
    if (!facts.host.root)
        return facts;
    facts.runtime = gather_runtime(options.cri_socket);
    facts.agent = gather_agent(paths.state_dir);
    const Surroundings node = look_around(facts.config.config);
    facts.network = gather_network(facts.config.config, node, facts.chain);
    try {
        facts.state = gather_state(paths, node.network);
        if (facts.state.complete)
            if (const auto datapath = Datapath::find(paths))
                facts.datapath = gather_datapath(*datapath, facts.config, node);
        if (facts.datapath)
            facts.network.frontends = gather_frontends(paths, facts.datapath->report);
    } catch (const Error& error) {
        facts.datapath_problem = error.what();
    }
    facts.filter = gather_filter(facts.network.devices,
                                 facts.datapath ? addresses_of_pods(facts.datapath->report) : std::vector<Address>{});
    return facts;
}

}  // namespace sallyport
