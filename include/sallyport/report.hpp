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

/// What every port had seen at one moment; two of them make rates.
struct TrafficSample
{
    Instant at;
    std::map<NodePort, Traffic> ports;
};

struct NodeReport
{
    TrafficSample sample;  ///< for the next report's rates
    std::vector<NodePortReport> node_ports;
    std::vector<RemapReport> remaps;
    std::vector<std::string> devices;
    Answered answered;
    FlowCount flows;
    std::map<std::string, std::uint64_t> drops = no_drops();
};

TrafficSample take_sample(const Datapath& datapath);

/// Rates are since `before`; without, and for ports that came since, 0.
NodeReport report_node(const Datapath& datapath, const std::optional<TrafficSample>& before);

/// The same as JSON, for programs and the page; with an indent of 2, or on one line.
std::string to_json(const NodeReport& report, bool indented);

}  // namespace sallyport
