// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent over HTTP: metrics, health, the health of single node ports for external load balancers, and one page for
// people. Answers GET and HEAD; no request changes anything. Knows of the agent what `state` tells, and reads the rest
// from the kernel when it is asked.
#pragma once

#include "sallyport/config.hpp"
#include "sallyport/conflicts.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// What the agent says of itself.
struct AgentState
{
    bool alive = false;                 ///< its loop turns: /healthz
    bool ready = false;                 ///< installed, in the chain, datapath sound: /readyz
    std::vector<std::string> problems;  ///< a sentence each: why it isn't ready, and what else needs somebody
    Conflicts conflicts;                ///< pods refused because their node port was taken, since boot
    std::uint64_t reattached = 0;       ///< programs put back before others, or attached again, since its start
};

/// Throws Error(invalid_environment) for what WebOptions::listen can't be.
void check_listen(std::string_view text);

struct WebOptions
{
    std::string listen;  ///< `:9465` for all addresses, `192.0.2.1:9465`, `[::1]:9465`; port 0 takes a free one
    Paths paths;
    std::string version;  ///< of this binary
    std::string commit;
};

/// Serves from its construction to its destruction, in one thread of its own, which blocks all signals and stays in the
/// network namespace of the thread that made it. Memory and descriptors are bounded, whatever clients do.
class WebServer
{
public:
    /// `state` is called from the server's thread, for each request that needs it. Throws Error: invalid_environment
    /// where `listen` can't be read, node_lacks with the address and what to do where nobody can listen there.
    WebServer(const WebOptions& options, std::function<AgentState()> state);
    ~WebServer();
    WebServer(const WebServer&) = delete;
    WebServer& operator=(const WebServer&) = delete;

    std::uint16_t port() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

struct WebAnswer
{
    int status = 0;  ///< 0: there was none
    std::string body;
    std::string problem;  ///< why there was none
};

/// Asks a server of this kind on this node, by the address that it listens on. Takes `patience` and 64 KiB at the most.
WebAnswer ask_web(const std::string& listen, const std::string& path, std::chrono::milliseconds patience);

}  // namespace sallyport
