// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Live translations as people and programs read them: which ones, in what order, and how.
#pragma once

#include "sallyport/bindings.hpp"
#include "sallyport/cli/table.hpp"
#include "sallyport/flow.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// Pods by generation.
using PodNames = std::map<std::uint64_t, BoundPod>;

PodNames names_of(const std::vector<BoundPod>& pods);

/// `namespace/name`, or the container's id; `pod #7` for one that isn't known any more.
std::string name_of(const PodNames& pods, std::uint64_t generation);

/// `80`, `80/tcp`
struct PortFilter
{
    HostPort port{};
    std::optional<Protocol> protocol;
};

std::optional<PortFilter> parse_port_filter(std::string_view text);

struct FlowFilter
{
    std::optional<PortFilter> port;  ///< where the client sent it
    std::string pod;                 ///< `namespace/name`, or a name alone; empty: all

    bool lets_through(const Flow& flow, const PodNames& pods) const;
};

/// The flows that were last seen, of any number: keeps no more than its limit.
class RecentFlows
{
public:
    explicit RecentFlows(std::size_t limit) : limit_(limit) {}

    void add(const Flow& flow);
    std::size_t left_out() const { return seen_ - flows_.size(); }

    /// The latest first.
    std::vector<Flow> take();

private:
    std::size_t limit_;
    std::size_t seen_ = 0;
    std::vector<Flow> flows_;  ///< a heap, with the one that was seen longest ago on top
};

class FlowTable
{
public:
    FlowTable(const PodNames& pods, Instant now);

    void add(const Flow& flow);
    std::size_t rows() const { return table_.rows(); }
    std::string render(const Screen& screen) { return table_.render(screen); }

private:
    const PodNames& pods_;
    Instant now_;
    TextTable table_;
};

/// One object on one line.
std::string to_json(const Flow& flow, const PodNames& pods, Instant now);

}  // namespace sallyport
