// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which addresses node ports are answered on. Functions of what the node has on its network and of its configuration.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/os/netlink.hpp"

#include <vector>

namespace sallyport {

/// The node's own addresses, each once: those by which the outside reaches it. That is what its outside devices have
/// (or the bridge or bond that one of them is a port of), and what a default route by one of them names as its source:
/// a routed fabric's nodes have that on their loopback device. Nobody else's: kube-ipvs0 and other devices of a proxy
/// hold Services' addresses, and pods' host ends a gateway's, which is the same on many nodes. Nor link-local ones (RFC
/// 3927, RFC 4291): no router forwards what comes from there, so no pod could be reached, and they are where metadata
/// services and DNS caches live.
std::vector<Address> own_addresses(const NodeNetwork& network, const std::vector<Device>& outside);

/// What node ports are answered on. (For the node itself there is localhost, too.)
struct Answered
{
    std::vector<Address> own;
    std::vector<Prefix> configured{};  ///< answered, whoever has them
    std::vector<Prefix> excluded{};    ///< not answered, though the node has them

    /// The longest of the prefixes that hold it decides; without any, whether it is the node's own.
    bool contains(const Address& address) const;

    /// All that count, for people: own and configured ones in ascending order.
    std::vector<Prefix> prefixes() const;
};

}  // namespace sallyport
