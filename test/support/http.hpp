// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP for load tests: nginx as the gateway, drained as in production, and wrk as its clients.
#pragma once

#include "support/node.hpp"
#include "support/subprocess.hpp"

#include <filesystem>
#include <string>

namespace sallyport::test {

/// What goes into nginx's `http` so that it writes its temporary files below that directory alone.
std::string nginx_temp_paths(const std::filesystem::path& directory);

/// nginx with one worker on port 9080 of a pod; answers every request with its name.
///
/// A connection is closed after its first half second, with `Connection: close` in the last answer (keepalive_time): so
/// that within a preStop of a second all its clients have moved on. Without it, nginx closes idle connections when it
/// is told to stop, and a client that sends at that moment loses: with or without us.
class Nginx
{
public:
    Nginx(const Node& node, const Pod& pod);

    /// `nginx -t`, in a pod where nginx may run or not: binds the port, listens, and closes it again.
    static void test_configuration(const Node& node, const Pod& pod);

    /// A pod's end as Kubernetes and the usual manifests have it: preStop sleeps, then SIGQUIT, then it ends by itself.
    void drain(std::chrono::milliseconds pre_stop);

private:
    std::filesystem::path directory_;
    Running process_;
};

/// What a run of wrk has seen.
struct LoadReport
{
    unsigned long requests = 0;
    std::string failures;  ///< wrk's own lines about errors of sockets and statuses other than 2xx and 3xx; "" if none
    std::string text;
};

enum class Reuse { connection_per_request, keep_alive };

/// wrk, asking until it is told to stop.
class Load
{
public:
    Load(const Namespace& client, const Target& target, Reuse reuse);
    LoadReport stop();

private:
    Running process_;
};

}  // namespace sallyport::test
