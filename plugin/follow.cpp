// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/follow.hpp"

#include "sallyport/devices.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <algorithm>
#include <iterator>

namespace sallyport {

std::vector<Device> choose_devices(const Config& config, const NodeNetwork& network)
{
    const auto candidates = outside_devices(config.devices, network.devices);
    const auto with_cilium = config.devices ? std::vector<Device>{} : devices_of_cilium(candidates);
    return with_cilium.empty() ? candidates : with_cilium;
}

Surroundings look_around(const Config& config)
{
    Surroundings node{.network = read_node_network(), .outside = {}, .answered = {}};
    node.outside = choose_devices(config, node.network);
    node.answered = {.own = own_addresses(node.network, node.outside),
                     .configured = config.addresses,
                     .excluded = config.excluded_addresses};
    return node;
}

std::vector<Device> may_return(const Config& config, const NodeNetwork& network, const std::vector<Device>& outside,
                               const std::vector<std::string>& attached)
{
    std::vector<Device> devices;
    if (config.devices)
        return devices;
    std::copy_if(network.devices.begin(), network.devices.end(), std::back_inserter(devices),
                 [&](const Device& device) {
                     const auto is_it = [&](const Device& other) { return other.ifindex == device.ifindex; };
                     return device.master == 0 &&  // else its master has what arrives there
                            std::find(attached.begin(), attached.end(), device.name) != attached.end() &&
                            std::none_of(outside.begin(), outside.end(), is_it);
                 });
    return devices;
}

std::optional<std::string> follow_node(Datapath& datapath, const Config& config, const Surroundings& node, bool exposes,
                                       const std::function<bool(const Device&)>& stays)
{
    if (exposes)
        require_any(node.outside, config.devices);
    datapath.follow_addresses(node.answered);
    if (!exposes)
        return std::nullopt;
    std::optional<std::string> shortfall;
    try {
        datapath.follow_cgroups(config.paths.cgroup, config.local_access, config.reserve_ports);
    } catch (const Error& error) {
        shortfall = std::string("the node itself and its pods don't reach node ports everywhere (localAccess), and "
                                "processes of the node may bind them (reservePorts): ") +
                    error.what();
    }
    std::vector<Device> devices = node.outside;
    const auto departed = may_return(config, node.network, node.outside, datapath.devices());
    std::copy_if(departed.begin(), departed.end(), std::back_inserter(devices), stays);
    datapath.follow_devices(devices);
    return shortfall;
}

void forget_the_past(Bindings& bindings, const Identify& identify)
{
    for (const BoundPod& pod : forget_vanished_pods(bindings, identify))
        log_warning("pod " + pod.pod() + " vanished without DEL: removed what it held");
    bindings.forget_expired();
}

void tidy_up(const Paths& paths)
{
    if (!Datapath::in_use(paths))
        Datapath::remove(paths);
}

}  // namespace sallyport
