// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// May packets go straight between a pod's device and the node's outside devices? Functions of values, each of which
// refuses one thing that would break, or be bypassed, on that way.
#pragma once

#include "sallyport/os/netlink.hpp"

#include <cstdint>
#include <vector>

namespace sallyport {

/// The other end of the pod's device among the node's; nullptr where it has none there, as with macvlan. `netns_id`: of
/// the pod's namespace, seen from the node's.
const Device* other_end(const Device& of_pod, std::uint32_t netns_id, const std::vector<Device>& of_node);

/// The other end of the pod's device among the node's. `netns_id`: of the pod's namespace, seen from the node's. Throws
/// Error(node_lacks) where there is none, as with macvlan, or where frames don't begin with an Ethernet header.
Device find_host_end(const Device& of_pod, std::uint32_t netns_id, const std::vector<Device>& of_node);

/// Throws Error(node_lacks) where what fits the pod's device is too large for an outside one: nobody on that way
/// fragments it, or says that it is too big.
void refuse_smaller_mtu(const Device& of_pod, const std::vector<Device>& outside);

/// `guarded`: those of the devices on the way where Cilium's programs run. Throws Error(invalid_network_config).
void refuse_bypass(const std::vector<Device>& guarded);

}  // namespace sallyport
