// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// How the agent is doing: written by its loop, read by whoever answers probes and scrapes, in threads of their own.
#pragma once

#include "sallyport/clock.hpp"
#include "sallyport/web.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace sallyport {

class Condition
{
public:
    explicit Condition(Clock clock = std::chrono::steady_clock::now);

    /// What keeps `subject` from being right; "" once nothing does. Logged when it changes.
    void set_problem(const std::string& subject, const std::string& text);

    /// The same for what falls short and is no reason not to be ready.
    void set_note(const std::string& subject, const std::string& text);

    /// The loop turns.
    void turn();

    /// Everything has been looked at once; not ready before.
    void begin();

    /// From now on not ready.
    void end();

    void set_conflicts(std::uint64_t count);
    void add_reattached(std::uint64_t count);

    AgentState state() const;

private:
    mutable std::mutex mutex_;
    Clock clock_;
    std::map<std::string, std::string> problems_;
    std::map<std::string, std::string> notes_;
    bool begun_ = false;
    bool ending_ = false;
    Instant last_turn_;
    std::uint64_t conflicts_ = 0;
    std::uint64_t reattached_ = 0;
};

}  // namespace sallyport
