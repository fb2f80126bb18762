// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

namespace sallyport::test {

/// A gateway on port 8000 that must go on serving whatever becomes of others.
struct Bystander
{
    explicit Bystander(Node& host) : node(host), pod(host, {.name = "bystander", .expose = "8000:9080"})
    {
        require_ok(pod.add());
    }

    void check_serves() const
    {
        CHECK(ask_tcp(node.client, {node_v4, 8000}) == "bystander " + client_v4);
        CHECK(ask_tcp(node.client, {node_v6, 8000}) == "bystander " + client_v6);
    }

    Node& node;
    Pod pod;
    TcpServer server{pod.netns, "bystander", {"::", 9080}};
};

}  // namespace sallyport::test
