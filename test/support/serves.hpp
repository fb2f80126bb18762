// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <utility>

namespace sallyport::test {

/// That gateway answers the node's client on TCP port 80 and UDP port 443, over IPv4 and IPv6, and sees its own
/// address.
inline void check_serves(const Node& node, const std::string& name = "gateway")
{
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        CHECK(ask_tcp(node.client, {address, 80}) == name + ' ' + own);
        CHECK(ask_udp(node.client, {address, 443}) == name + ' ' + own + " 3");
    }
}

/// The gateway that check_serves() asks.
struct ServingGateway
{
    explicit ServingGateway(Node& node, const std::string& expose = "80:9080, 443:9443/udp")
        : pod(node, {.expose = expose})
    {
        require_ok(pod.add());
    }

    Pod pod;
    TcpServer tcp{pod.netns, "gateway", {"::", 9080}};
    UdpServer udp{pod.netns, "gateway", {"::", 9443}};
};

/// On TCP alone.
struct TcpGateway
{
    explicit TcpGateway(Node& node, const std::string& expose = "80:9080") : pod(node, {.expose = expose})
    {
        require_ok(pod.add());
    }

    Pod pod;
    TcpServer server{pod.netns, "gateway", {"::", 9080}};
};

}  // namespace sallyport::test
