// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Plugins that stand before us in a real runtime's list: what their entries say, and what they need on the node. All
// take pods' addresses from host-local.
#pragma once

#include "support/local_node.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace sallyport::test {

struct PrimaryPlugin
{
    std::string list_version;
    Json entry;
    std::map<std::string, std::filesystem::path> programs;  ///< by name; those that `entry` leads to
    std::filesystem::path leases;                           ///< has a file for each address of a pod's
};

/// The CNI project's, with IPv4 and IPv6.
PrimaryPlugin ptp(const Node& node, const std::string& list_version = "1.0.0");

/// flannel's real plugin and the bridge that it calls, with the list of flannel's own manifest, and the file that its
/// agent would have written. Skips the test where there is none.
PrimaryPlugin flannel(const Node& node);

/// calico.py.
PrimaryPlugin calico(const Node& node, const std::string& list_version, bool older_result);

/// The list with our entry, or, where `ours` is null, without.
Json list_of_pods(const Node& node, const PrimaryPlugin& primary, const Json& ours);

}  // namespace sallyport::test
