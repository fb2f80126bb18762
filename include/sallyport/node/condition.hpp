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

    /// What keeps `subject` from being right; "" once nothing does.
    void set_problem(const std::string& subject, const std::string& text);

    /// The same for what falls short and is no reason not to be ready.
    void set_note(const std::string& subject, const std::string& text);

    /// The loop turns. Logs what has come up, once, when it has lasted for a moment, and that it is over, if that was
    /// logged. While others rewrite a file, say, much is amiss for the blink of an eye.
    void turn();

    /// Everything has been looked at once; not ready before.
    void begin();

    /// From now on not ready.
    void end();

    void set_conflicts(const Conflicts& conflicts);
    void add_reattached(std::uint64_t count);

    AgentState state() const;

private:
    struct Matter
    {
        std::string text;
        Instant since;
        bool logged = false;       ///< this text
        bool ever_logged = false;  ///< this or one before it
    };
    using Matters = std::map<std::string, Matter>;

    void set(Matters& matters, const std::string& subject, const std::string& text);
    void log_lasting(Matters& matters, void (*log)(const std::string&) noexcept) const;

    mutable std::mutex mutex_;
    Clock clock_;
    Matters problems_;
    Matters notes_;
    bool begun_ = false;
    bool ending_ = false;
    Instant last_turn_;
    Conflicts conflicts_;
    std::uint64_t reattached_ = 0;
};

}  // namespace sallyport
