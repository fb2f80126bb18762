// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// How the agent is doing: written by its loop, read by whoever answers probes and scrapes, in threads of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace sallyport {

struct AgentStatus
{
    bool ready = false;                       ///< there is no problem; neither about to begin nor to end
    std::vector<std::string> problems;        ///< each a sentence that says what to do
    std::vector<std::string> notes;           ///< short of the configuration, and no reason not to be ready
    std::chrono::milliseconds since_turn{0};  ///< since the loop last turned
    std::uint64_t conflicts = 0;              ///< pods refused because their node port was taken, since boot
    std::uint64_t reattached = 0;             ///< programs put back where they belong, since the agent's start
};

class Condition
{
public:
    using Clock = std::function<std::chrono::steady_clock::time_point()>;

    explicit Condition(Clock clock = std::chrono::steady_clock::now);

    /// What keeps `subject` from being right; "" once nothing does. Logged when it changes.
    void set_problem(const std::string& subject, const std::string& text);
    void set_note(const std::string& subject, const std::string& text);

    /// The loop turns.
    void turn();

    /// Everything has been looked at once; not ready before.
    void begin();

    /// From now on not ready.
    void end();

    void set_conflicts(std::uint64_t count);
    void add_reattached(std::uint64_t count);

    AgentStatus status() const;

private:
    mutable std::mutex mutex_;
    Clock clock_;
    std::map<std::string, std::string> problems_;
    std::map<std::string, std::string> notes_;
    bool begun_ = false;
    bool ending_ = false;
    std::chrono::steady_clock::time_point last_turn_;
    std::uint64_t conflicts_ = 0;
    std::uint64_t reattached_ = 0;
};

}  // namespace sallyport
