// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The state of this node as people ask for it: who has which port, and who takes new connections and why. Read from the
// tables; how it is printed is the business of cli/.
#pragma once

#include "sallyport/datapath.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace sallyport {

struct PodReport
{
    std::string pod_namespace;
    std::string pod;  ///< name; the container's id outside Kubernetes
    std::string container_id;
    Backend backend;
    bool listening = false;
    bool takes_new = false;
    std::string why;  ///< "youngest that listens", "nothing listens on 10.0.1.7:9080/tcp"
    std::uint64_t flows = 0;
};

/// Per second, over the time between two looks.
struct Rates
{
    double connections = 0;
    double bytes_from_client = 0;
    double bytes_from_pod = 0;
};

struct NodePortReport
{
    NodePort node_port;
    Share share = Share::newest;
    std::vector<PodReport> pods;  ///< youngest first
    Traffic traffic;
    Rates rates;
};

struct NodeReport
{
    std::vector<NodePortReport> node_ports;
    std::vector<std::string> devices;
    std::vector<Prefix> addresses;
    FlowCount flows;
    std::map<std::string, std::uint64_t> drops;
};

/// Looks twice, `interval` apart, for the rates.
NodeReport report_node(const Datapath& datapath, std::chrono::milliseconds interval);

}  // namespace sallyport
