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
/// stands in a network of its own. Never the loopback, nor a device whose frames our programs can't read; and no port
/// of a bridge or bond beside its master. A VLAN and its parent may both be chosen: each has its own traffic, as
/// programs leave a parent's tagged frames alone. Throws Error(node_lacks) where nothing is left.
std::vector<Device> outside_devices(const std::optional<std::vector<std::string>>& patterns,
                                    const std::vector<Device>& devices);

}  // namespace sallyport
