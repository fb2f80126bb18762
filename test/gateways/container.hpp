// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server in a pod, as a container runtime runs it and kubelet ends it.
#pragma once

#include "gateways/server.hpp"
#include "support/node.hpp"
#include "support/subprocess.hpp"

#include <chrono>

namespace sallyport::test {

class Container
{
public:
    /// Begins it as PID 1 of a PID namespace of its own, where a signal that it doesn't handle is ignored. Returns once
    /// it answers at the pod's address, as a readiness probe would find out; std::runtime_error where it doesn't.
    Container(const Node& node, const Pod& pod, const Server& server);

    /// The server's signal; SIGKILL where it is still there after `grace`.
    void end(std::chrono::milliseconds grace);

private:
    Running process_;  // unshare(1), whose child is the server
    int stop_signal_;
};

}  // namespace sallyport::test
