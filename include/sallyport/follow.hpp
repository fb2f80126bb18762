// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeping what is in the kernel in step with the node: what each call of the plugin does, and the agent in between. All
// of it under the lock.
#pragma once

#include "sallyport/bindings.hpp"
#include "sallyport/config.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/vanished.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// Outside devices as the configuration has them; with "auto" where Cilium's programs sit, if they do: it knows best.
/// Throws Error(node_lacks) where none is left. Needs no lock.
std::vector<Device> choose_devices(const Config& config, const NodeNetwork& network);

/// Makes the datapath answer on the node's addresses and the configured ones, and, unless `devices` is nullopt as no
/// port of the node is exposed, run on these devices and at the node's cgroups. Returns what falls short of the
/// configuration without being a failure, in words: the cgroups' part, without which node ports work from outside.
std::optional<std::string> follow_node(Datapath& datapath, const Config& config, const std::vector<Address>& addresses,
                                       const std::optional<std::vector<Device>>& devices);

/// What others have left behind: pods that went without DEL, and node ports that waited in vain for another pod.
void forget_the_past(Bindings& bindings, const Identify& identify = identify_netns);

/// After a removal: on a node without gateway pods nothing of ours stays in the kernel.
void tidy_up(const Paths& paths);

}  // namespace sallyport
