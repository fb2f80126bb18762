// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the commands that install, remove and stay (`install`, `uninstall`, `agent`) are told on their command line.
// Everything else stands in the plugin's own configuration.
#pragma once

#include "sallyport/kubernetes.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace sallyport {

/// Where our entry goes.
enum class ChainMethod {
    automatic,  ///< a drop-in where the runtime is known to read it, else the conflist
    drop_in,    ///< a file in a directory named after the network: libcni 1.3 and later
    conflist,   ///< the primary plugin's own list
};

struct NodeOptions
{
    std::filesystem::path config = "/etc/sallyport/config.json";  ///< our entry, as in a conflist (parse_entry())
    std::filesystem::path cni_bin_dir = "/opt/cni/bin";
    std::filesystem::path cni_conf_dir = "/etc/cni/net.d";
    ChainMethod chain = ChainMethod::automatic;
    std::string cri_socket = "auto";  ///< a path, "auto" or "off"
};

struct UninstallOptions : NodeOptions
{
    bool stay = false;  ///< wait for SIGTERM afterwards: a DaemonSet's pods must not end
};

struct AgentOptions : NodeOptions
{
    std::string listen = ":9465";    ///< `address:port`, `:port` for all addresses, or "off"
    std::optional<Cluster> cluster;  ///< whose word on this node's pods is followed, if any's
    std::string cluster_problem;     ///< why there is none though there should be; "" where that is as it should be
    std::string version;             ///< of this binary
    std::string commit;
};

}  // namespace sallyport
