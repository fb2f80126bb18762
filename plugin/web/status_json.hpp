// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the page shows, for programs too: `sallyport status --json`, the agent's own state, and the latest events.
#pragma once

#include "looks.hpp"

#include "sallyport/web.hpp"

#include <chrono>
#include <string>

namespace sallyport::web {

/// Who tells, and when: events have the one clock, people read the other.
struct Origin
{
    std::string node;  ///< its host name
    BuildInfo build;
    Instant steady;
    std::chrono::system_clock::time_point wall;
};

std::string status_json(const Look& look, const History& history, const AgentState& agent, const Origin& origin);

}  // namespace sallyport::web
