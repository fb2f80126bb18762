// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeping what is in the kernel in step with the node.
#pragma once

#include "sallyport/config.hpp"
#include "sallyport/os/netlink.hpp"

#include <vector>

namespace sallyport {

/// Outside devices as the configuration has them; with "auto" where Cilium's programs sit, if they do: it knows best.
/// Throws Error(node_lacks) where none is left. Needs no lock.
std::vector<Device> choose_devices(const Config& config, const NodeNetwork& network);

}  // namespace sallyport
