// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "node_keeper.hpp"

#include "pod_fate.hpp"

#include "sallyport/error.hpp"
#include "sallyport/frontends.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/file_lock.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace sallyport {

namespace {

/// The loop has other things to do; whoever has the lock needs milliseconds.
constexpr std::chrono::milliseconds lock_patience{200};

/// How long a device that may return is waited for.
constexpr std::chrono::seconds return_patience{15};

bool exposes_at_node(const Datapath& datapath)
{
    const auto entries = datapath.bindings().node_ports();
    return std::any_of(entries.begin(), entries.end(),
                       [](const NodePortEntry& entry) { return entry.node_port.scope == Scope::node; });
}

std::vector<std::string> names_of(const std::vector<Device>& devices)
{
    std::vector<std::string> names;
    std::transform(devices.begin(), devices.end(), std::back_inserter(names),
                   [](const Device& device) { return device.name; });
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

void NodeKeeper::follow()
{
    if (!Datapath::exists(config_.paths))
        return;
    const Surroundings node = look_around(config_);
    const FileLock lock = FileLock::take(config_.paths.state_dir, lock_patience);
    if (!Datapath::in_use(config_.paths)) {
        Datapath::remove(config_.paths);  // remains of a call that was killed, or of the last pod
        return;
    }
    count_lost(node.network.devices);
    Datapath datapath = Datapath::open(config_.paths, config_.flows);
    follow(datapath, node);
    network_ = node.network;
}

void NodeKeeper::follow(Datapath& datapath, const Surroundings& node)
{
    const bool exposes = exposes_at_node(datapath);
    const auto departed = may_return(config_, node.network, node.outside, datapath.devices());
    std::map<int, std::chrono::steady_clock::time_point> since;
    for (const Device& device : departed) {
        const auto known = departed_.find(device.ifindex);
        since[device.ifindex] = known == departed_.end() ? std::chrono::steady_clock::now() : known->second;
    }
    departed_ = since;
    shortfall_ = follow_node(datapath, config_, node, exposes, [&](const Device& device) {
                     return stays(device);
                 }).value_or(std::string());
    followed_.clear();
    if (exposes)
        for (const Device& device : node.outside)
            followed_.insert(device.ifindex);
}

bool NodeKeeper::stays(const Device& device) const
{
    const auto since = departed_.find(device.ifindex);
    return since != departed_.end() && std::chrono::steady_clock::now() - since->second < return_patience;
}

/// Before anything is put right.
void NodeKeeper::count_lost(const std::vector<Device>& devices)
{
    const auto datapath = Datapath::find(config_.paths);
    std::vector<Device> before;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(before),
                 [&](const Device& device) { return followed_.contains(device.ifindex); });
    if (!datapath)
        return;
    for (const std::string& lost : datapath->missing_hooks(before)) {
        log_warning("node ports had lost " + lost + ": putting it back");
        reattached_++;
    }
}

bool NodeKeeper::is_sound() const
{
    if (!Datapath::exists(config_.paths))
        return true;
    const auto datapath = Datapath::find(config_.paths);
    if (!datapath || !network_ || !Datapath::in_use(config_.paths) || !Datapath::is_current(config_.paths))
        return false;
    if (!exposes_at_node(*datapath))
        return true;
    auto devices = choose_devices(config_, *network_);
    const auto departed = may_return(config_, *network_, devices, datapath->devices());
    std::copy_if(departed.begin(), departed.end(), std::back_inserter(devices),
                 [&](const Device& device) { return stays(device); });
    return datapath->missing_hooks(devices).empty() && datapath->devices() == names_of(devices) &&
           (!shortfall_.empty() ||  // which another attempt every other second wouldn't end
            datapath->runs_at_cgroups(config_.paths.cgroup, config_.local_access, config_.reserve_ports));
}

void NodeKeeper::forget_the_past()
{
    hidden_pods_.clear();
    const auto looked_at = Datapath::find(config_.paths);
    if (!looked_at)
        return;
    const PodFates fates(looked_at->bindings().pods());
    hidden_pods_ = fates.shortfall();
    if (fates.any_gone() || looked_at->bindings().any_expired()) {
        const FileLock lock = FileLock::take(config_.paths.state_dir, lock_patience);
        if (auto datapath = Datapath::find(config_.paths)) {
            // Pods came while we waited for the lock, perhaps: their namespaces may be hidden from here too.
            const PodFates now(datapath->bindings().pods());
            sallyport::forget_the_past(datapath->bindings(),
                                       [&](const std::filesystem::path& path) { return now.identify(path); });
            datapath->forget_unbound_pod_hooks();
        }
        tidy_up(config_.paths);
    }
}

std::string NodeKeeper::served_by_others() const
{
    const auto datapath = Datapath::find(config_.paths);
    if (!datapath || !config_.reserve_ports)
        return "";
    std::vector<NodePort> node_ports;
    std::set<Address> pods;
    for (const NodePortEntry& entry : datapath->bindings().node_ports()) {
        node_ports.push_back(entry.node_port);
        for (const NodePortBackend& backend : entry.backends)
            pods.insert(backend.backend.address);
    }
    const Answered answered = datapath->addresses();
    std::vector<std::string> served;
    for (const Frontend& frontend : find_taken_over(config_.paths.bpffs, node_ports, answered))
        if (is_for_others(frontend, pods, answered))
            served.push_back(frontend.to_string());
    return served.empty()
               ? ""
               : listed(served) +
                     "; it gets no more of it, as the gateway's node port is there: give one of them another";
}

void NodeKeeper::note_listeners() const
{
    const auto datapath = Datapath::find(config_.paths);
    if (!datapath)
        return;
    std::map<std::uint64_t, std::uint32_t> netns_ids;
    for (const BoundPod& pod : datapath->bindings().pods())
        netns_ids.emplace(pod.generation, pod.netns_id);
    std::set<std::pair<std::uint64_t, Backend>> asked;
    for (const NodePortEntry& entry : datapath->bindings().node_ports())
        for (const NodePortBackend& backend : entry.backends)
            if (const auto netns = netns_ids.find(backend.generation);
                netns != netns_ids.end() && asked.emplace(backend.generation, backend.backend).second)
                datapath->look(backend, netns->second);
}

}  // namespace sallyport
