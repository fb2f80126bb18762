// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent's one loop: waits for descriptors and for the time, and calls who asked for them. Everything runs in the
// thread that is in run().
#pragma once

#include "sallyport/clock.hpp"

#include <chrono>
#include <functional>
#include <map>

namespace sallyport {

class Loop
{
public:
    /// Calls `handler` once `fd` can be read, or has failed; it must take what there is. Afterwards nobody looks at
    /// `fd` for `rest`: however much comes, this costs a turn for each `rest` and no more. Replaces the handler that
    /// `fd` had.
    void on_readable(int fd, std::chrono::milliseconds rest, std::function<void()> handler);

    void forget(int fd) { sources_.erase(fd); }

    /// Until stop(): calls `turn`, which does what is due and returns when it wants to be called next, at the latest;
    /// then waits until then, or for a descriptor.
    void run(const std::function<Instant()>& turn);

    void stop() { stopped_ = true; }

private:
    struct Source
    {
        std::function<void()> handler;
        std::chrono::milliseconds rest{0};
        Instant rests_until{};
    };

    void wait(Instant until);

    std::map<int, Source> sources_;
    bool stopped_ = false;
};

}  // namespace sallyport
