// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent's HTTP server on a node of the tests, without an agent: the test says what that would say of itself.
#pragma once

#include "sallyport/web.hpp"
#include "support/node.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace sallyport::test {

struct HttpAnswer
{
    int status = 0;  ///< 0: none came
    std::string head;
    std::string body;
};

/// What one connection brings that sends exactly these bytes, and then reads to the end. Checks Content-Length against
/// the body, where there is one; throws std::runtime_error where it is wrong.
HttpAnswer exchange(const Namespace& netns, const Target& server, const std::string& request);

class Web
{
public:
    /// Listens on `listen`, in the host's namespace.
    explicit Web(const Node& node, const std::string& listen = ":9465");

    void say(AgentState state);

    HttpAnswer get(const std::string& path) const;  ///< from the node itself
    Json status() const;
    Target at(const std::string& address = node_v4) const { return {address, server_->port()}; }
    std::uint16_t port() const { return server_->port(); }

private:
    const Node& node_;
    mutable std::mutex mutex_;
    AgentState state_;
    std::unique_ptr<WebServer> server_;
};

}  // namespace sallyport::test
