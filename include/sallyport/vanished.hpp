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

/// Removes the pods whose namespace is gone: killed nodes and runtimes don't call DEL. Returns the pods removed.
std::vector<BoundPod> forget_vanished_pods(Bindings& bindings, const Identify& identify = identify_netns);

}  // namespace sallyport
