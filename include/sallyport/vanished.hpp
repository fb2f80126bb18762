// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods that went without DEL: a node that was killed, a runtime that lost its state.
#pragma once

#include "sallyport/bindings.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

namespace sallyport {

/// Tells what a path leads to now.
using Identify = std::function<std::optional<NetnsIdentity>(const std::filesystem::path&)>;

/// Removes the pods whose namespace is gone, by the kernel's word or as its path leads elsewhere: killed nodes and
/// runtimes don't call DEL. Returns the pods removed.
std::vector<BoundPod> forget_vanished_pods(Bindings& bindings, const Identify& identify = identify_netns);

/// Removes the pods that had one of these addresses before the attachment that has it now, in its network: an address
/// is given again when its pod has ended, whether or not the kernel has taken its namespace apart yet. Elsewhere the
/// same address may be another pod's, and only one that is gone is removed. Returns the pods removed.
std::vector<BoundPod> forget_predecessors(Bindings& bindings, const AttachmentId& successor, const std::string& network,
                                          const std::vector<Address>& addresses);

}  // namespace sallyport
