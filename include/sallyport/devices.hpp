// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which devices outside traffic arrives on. A pure function of what the node has.
#pragma once

#include "sallyport/config.hpp"
#include "sallyport/os/netlink.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// `patterns` is the configuration's `devices`; nullopt ("auto") stands for every device with a default route, or that
/// stands in a network of its own. Never the loopback, nor a dummy device, where nothing ever arrives: proxies keep
/// Services' addresses there (kube-ipvs0, nodelocaldns). Nor a device whose frames our programs can't read; and no port
/// of a bridge or bond beside its master. A VLAN and its parent may both be chosen: each has its own traffic, as
/// programs leave a parent's tagged frames alone. Perhaps none.
std::vector<Device> outside_devices(const std::optional<std::vector<std::string>>& patterns,
                                    const std::vector<Device>& devices);

/// Throws Error(node_lacks) where there is none.
void require_any(const std::vector<Device>& outside, const std::optional<std::vector<std::string>>& patterns);

}  // namespace sallyport
