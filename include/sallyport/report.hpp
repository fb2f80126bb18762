// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The state of this node as people ask for it: who has which port, and who takes new connections and why. Read from the
// tables; how it is printed is the business of cli/.
#pragma once

#include "sallyport/choice.hpp"
#include "sallyport/datapath.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

struct PodReport
{
    std::string pod_namespace;
    std::string pod;  ///< name; the container's id outside Kubernetes
    std::string container_id;
    Backend backend;
    Candidate candidate;
    Choice choice;
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
    Sharing sharing;
    std::vector<PodReport> pods;                         ///< youngest first
    std::optional<std::chrono::milliseconds> waits_for;  ///< no pod is left: how much longer new connections wait
    Traffic traffic;
    Rates rates;
};

/// A port of a pod that leads to another port of the same pod.
struct RemapReport
{
    NodePort pod_port;
    PodReport pod;
    Traffic traffic;
};

struct NodeReport
{
    std::vector<NodePortReport> node_ports;
    std::vector<RemapReport> remaps;
    std::vector<std::string> devices;
    std::vector<Prefix> addresses;
    FlowCount flows;
    std::map<std::string, std::uint64_t> drops;
};

/// Looks twice, `interval` apart, for the rates.
NodeReport report_node(const Datapath& datapath, std::chrono::milliseconds interval);

}  // namespace sallyport
