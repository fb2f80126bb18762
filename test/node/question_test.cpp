// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node or one of its pods asks from a port that is a UDP node port too: the answer is the asker's.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <poll.h>

using namespace sallyport::test;

namespace {

/// A resolver out there, and a gateway behind the node's UDP port 8053.
struct Scene
{
    Scene()
    {
        node.plugin["reservePorts"] = false;
        require_ok(gateway.add());
    }

    Node node;
    Pod gateway{node, {.expose = "8053:9080/udp"}};
    const UdpServer inside{gateway.netns, "gateway", {"::", 9080}};
    const UdpServer outside{node.client, "resolver", {"::", 53}};
};

/// How many of three questions from that place are answered.
int answered(const Namespace& netns, const Target& source, const Target& target)
{
    const auto socket = dial(netns, IPPROTO_UDP, target, {.source = source});
    int count = 0;
    for (int i = 0; i < 3; i++) {
        char buffer[64];
        REQUIRE(send(socket.get(), "who", 3, 0) == 3);
        if (wait_for(socket.get(), POLLIN, patience) && recv(socket.get(), buffer, sizeof buffer, 0) > 0)
            count++;
    }
    return count;
}

}  // namespace

TEST_CASE("the node's own question from a UDP node port is answered to the node", "[question]")
{
    const Scene scene;
    const bool v6 = GENERATE(false, true);
    CHECK(answered(scene.node.host, {v6 ? node_v6 : node_v4, 8053}, {v6 ? client_v6 : client_v4, 53}) == 3);
    // Everybody else still reaches the gateway there.
    CHECK(ask_udp(scene.node.client, {v6 ? node_v6 : node_v4, 8053}).starts_with("gateway"));
}

TEST_CASE("a masqueraded pod's question from a UDP node port is answered to the pod", "[question]")
{
    Scene scene;
    Pod other(scene.node, {.name = "other"});
    require_ok(other.add());
    const Output masquerade =
        execute({.argv = {"iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE"},
                 .netns = &scene.node.host});
    INFO(masquerade.err);
    REQUIRE(masquerade.status == 0);
    CHECK(answered(other.netns, {other.v4, 8053}, {client_v4, 53}) == 3);
    CHECK(ask_udp(scene.node.client, {node_v4, 8053}).starts_with("gateway"));
}
