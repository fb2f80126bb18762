// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A thread beside the agent's own. It gets no signals, which are for the agent's, and is told to end through a
// descriptor that it waits on beside its others.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace sallyport {

class Worker
{
public:
    /// Not started yet. `what` is for the message, as in "make `what` (eventfd)". Throws Error(node_lacks) where there
    /// are no descriptors left.
    explicit Worker(const std::string& what);

    /// Tells it to end, and waits until it has. So a Worker is the last member of whoever has one: it uses the others.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// At most once. `name` is what `ps` shows, of at most 15 characters. `run` must not throw.
    void start(const char* name, std::function<void()> run);

    /// Readable once it is told to end; owned by this.
    int stop_fd() const { return stop_.get(); }

    /// Was it told to end, or is it within `wait`?
    bool told_to_stop(std::chrono::milliseconds wait = {}) const;

private:
    UniqueFd stop_;
    std::thread thread_;
};

}  // namespace sallyport
