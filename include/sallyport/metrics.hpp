// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node's state in Prometheus' text format (0.0.4). Values only: reads no table.
#pragma once

#include "sallyport/report.hpp"
#include "sallyport/web.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sallyport {

/// A port of the node whatever its address: 0.0.0.0:80, [::]:80 and 192.0.2.1:80 are one in the metrics.
struct PortLabel
{
    std::uint16_t port = 0;
    Protocol protocol = Protocol::tcp;

    auto operator<=>(const PortLabel&) const = default;
};

/// What passed through each port, over all its addresses. Never goes down while the port lives: a sum over the tables
/// would, whenever one of the addresses goes, and Prometheus would take that for a restart and count all twice.
class PortTotals
{
public:
    struct Total
    {
        Traffic traffic;
        std::map<std::string, std::uint64_t> connections;  ///< by the namespace whose pods held the port
    };

    /// Takes in what came since the last report. A port that isn't in it any more is forgotten.
    void add(const NodeReport& report);

    const std::map<PortLabel, Total>& ports() const { return ports_; }

private:
    struct Seen
    {
        Traffic traffic;
        std::optional<std::string> pod_namespace;  ///< of the pods that hold it, or held it last
    };

    std::map<NodePort, Seen> seen_;
    std::map<PortLabel, Total> ports_;
};

struct BuildInfo
{
    std::string version;
    std::string commit;
};

std::string metrics_text(const NodeReport& report, const PortTotals& totals, const AgentState& agent,
                         const BuildInfo& build);

/// Where the node's tables are another version's, of that ABI: what the agent knows without them.
std::string metrics_text(std::uint32_t another_abi, const AgentState& agent, const BuildInfo& build);

}  // namespace sallyport
