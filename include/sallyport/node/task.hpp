// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One thing that the agent does again and again: when next, and what came of it. Knows no clock but the one that it is
// given, and no other task: a failure here is nobody else's.
#pragma once

#include "sallyport/clock.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace sallyport {

struct Pace
{
    std::chrono::milliseconds period;     ///< at least this often
    std::chrono::milliseconds gather{0};  ///< news wait this long for more of their kind
    double share = 1;                     ///< of a core, at the most
};

/// What this thread has had of a core; for differences only.
Instant thread_cpu_time();

class Task
{
public:
    /// `work` throws what went wrong. Due at once. Its share is counted in CPU time: on a busy node, or where it waits
    /// for a lock, it has used nothing up.
    Task(std::string name, Pace pace, std::function<void()> work, Clock clock = std::chrono::steady_clock::now,
         Clock cpu_time = thread_cpu_time);

    const std::string& name() const { return name_; }
    Instant due() const { return due_; }

    /// Due then at the latest.
    void by(Instant then);

    /// There is news: due once they are gathered, and its share of the time allows it.
    void soon();

    /// Does it. Tried again soon where it failed; sooner where somebody else only had the lock, which is no failure
    /// until it has lasted.
    void run();

    /// What went wrong the last time; "" where nothing did.
    const std::string& problem() const { return problem_; }

private:
    std::chrono::milliseconds attempt();

    std::string name_;
    Pace pace_;
    std::function<void()> work_;
    Clock clock_;
    Clock cpu_time_;
    Instant due_;
    Instant rests_until_{};  ///< not before, whatever the news
    Instant last_success_;
    std::string problem_;
};

}  // namespace sallyport
