// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeping what is in the kernel in step with the node: what each call of the plugin does, and the agent in between. All
// of it under the lock.
#pragma once

#include "sallyport/answered.hpp"
#include "sallyport/bindings.hpp"
#include "sallyport/config.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/vanished.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// The node's network, as the configuration reads it.
struct Surroundings
{
    NodeNetwork network;
    std::vector<Device> outside;  ///< perhaps none
    Answered answered;
};

/// Needs no lock.
Surroundings look_around(const Config& config);

/// Outside devices as the configuration has them; with "auto" where Cilium's programs sit, if they do: it knows best.
std::vector<Device> choose_devices(const Config& config, const NodeNetwork& network);

/// Devices that exist and that we are `attached` to, though none of `outside` any more. With "auto", which goes by
/// addresses and routes, they may be again in a moment, as when netplan is applied or a DHCP lease ends; connections
/// live on there meanwhile. None where `devices` says which: that is meant so.
std::vector<Device> may_return(const Config& config, const NodeNetwork& network, const std::vector<Device>& outside,
                               const std::vector<std::string>& attached);

/// Makes the datapath answer on the addresses that it should, and, where a port of the node is exposed, run on the
/// outside devices and at the node's cgroups. Returns what falls short of the configuration without being a failure, in
/// words: the cgroups' part, without which node ports work from outside. `stays` says of those that may_return()
/// whether they are left alone; a call of the plugin can't tell. Throws Error(node_lacks) where a port is exposed and
/// no outside device is there; then the addresses stay as they were.
std::optional<std::string> follow_node(
    Datapath& datapath, const Config& config, const Surroundings& node, bool exposes,
    const std::function<bool(const Device&)>& stays = [](const Device&) { return true; });

/// What others have left behind: pods that went without DEL, and node ports that waited in vain for another pod.
void forget_the_past(Bindings& bindings, const Identify& identify = identify_netns);

/// After a removal: on a node without gateway pods nothing of ours stays in the kernel.
void tidy_up(const Paths& paths);

}  // namespace sallyport
