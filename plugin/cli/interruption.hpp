// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C and its kin, for commands that go on until they are stopped: they end in an orderly way, with exit status 0,
// and leave the terminal as it was.
#pragma once

#include <chrono>
#include <csignal>

namespace sallyport {

/// While this lives, SIGINT, SIGTERM and SIGHUP of this thread wait to be asked for, and a closed pipe is an error of
/// the stream instead of the end of the process.
class Interruption
{
public:
    Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
    ~Interruption();

    /// Waits for so long; returns earlier, and true, where one of them came or whoever reads stdout is gone. A change
    /// of the terminal's size ends the wait too, with false.
    bool comes_within(std::chrono::milliseconds time) const;

private:
    sigset_t signals_{};
    sigset_t before_{};
    void (*pipe_before_)(int) = SIG_DFL;
};

}  // namespace sallyport
