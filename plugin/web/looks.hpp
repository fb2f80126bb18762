// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node as requests see it. A look walks all tables, flows among them; so it serves everybody who asks within half a
// second. Whether somebody serves behind one port is asked from the kernel each time.
#pragma once

#include "reply.hpp"

#include "sallyport/config.hpp"
#include "sallyport/events.hpp"
#include "sallyport/metrics.hpp"
#include "sallyport/report.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::web {

/// One moment.
struct Look
{
    std::uint64_t number = 0;                  ///< from 1
    NodeReport report;                         ///< empty where the tables are another version's
    std::optional<std::uint32_t> another_abi;  ///< of that version
    std::optional<std::chrono::milliseconds>
        rates_over;  ///< what the report's rates are averages of; nullopt: no rates
};

class Looks
{
public:
    explicit Looks(Paths paths) : paths_(std::move(paths)) {}

    /// Throws Error where the tables can't be read. A node without any has an empty report, and so has one whose tables
    /// another version made, which the look names then. Valid until the next call.
    const Look& now();

    /// Grows with each new look.
    const PortTotals& totals() const { return totals_; }

private:
    void choose_base(Instant at);

    Paths paths_;
    Look look_;
    std::optional<Instant> looked_at_;
    std::optional<TrafficSample> base_;
    PortTotals totals_;
};

/// The latest events, newest first, and the names of the pods that they speak of, by generation.
struct History
{
    std::vector<Event> events;
    std::map<std::uint64_t, std::string> pods;
};

History read_history(const Paths& paths);

/// nullopt where a pod that isn't ending serves behind that port of the node now, at any address of that family; else
/// why none does, as a sentence. Answers by the tables of another ABI too.
std::optional<std::string> why_not_served(const Paths& paths, const PortLabel& port, Family family);

}  // namespace sallyport::web
