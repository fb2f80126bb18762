// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which addresses are the node's, and everything that an exposure must not touch.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <memory>

using namespace sallyport::test;

namespace {

/// A gateway that answers on 80 and 443/udp of the node.
}  // namespace

TEST_CASE("direct connections to the pod are never touched", "[passing]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const ServingGateway gateway(node);
    // A client notices a reply from anywhere but the address and port that it asked: it would reset, or hear nothing.
    const auto ask_directly = [&] {
        CHECK(ask_tcp(node.client, {gateway.pod.v4, 9080}) == "gateway " + client_v4);
        CHECK(ask_tcp(node.client, {gateway.pod.v6, 9080}) == "gateway " + client_v6);
        CHECK(ask_udp(node.client, {gateway.pod.v4, 9443}) == "gateway " + client_v4 + " 3");
        CHECK(ask_udp(node.client, {gateway.pod.v6, 9443}) == "gateway " + client_v6 + " 3");
        CHECK(ask_tcp(node.client, {gateway.pod.v4, 80}) == "refused");
    };
    ask_directly();

    Connection in_use(node.client, {node_v4, 80});
    Connection direct(node.client, {gateway.pod.v4, 9080});
    for (Connection* connection : {&in_use, &direct}) {
        connection->send("echo\n");
        REQUIRE(connection->read_line() == "ready");
    }
    for (int i = 0; i < 20; i++) {
        for (Connection* connection : {&in_use, &direct}) {
            connection->send("line\n");
            REQUIRE(connection->read_line() == "line");
        }
        ask_directly();
    }
    CHECK(ask_udp(node.client, {node_v4, 443}) == "gateway " + client_v4 + " 3");
    ask_directly();
}

TEST_CASE("a client's port serves node port and pod one after the other", "[passing]")
{
    Node node;
    const ServingGateway gateway(node);
    for (const auto& [node_address, pod_address, own] :
         {std::tuple(node_v4, gateway.pod.v4, client_v4), std::tuple(node_v6, gateway.pod.v6, client_v6)}) {
        const DialOptions from_one_port{.source = Target{own, 40000}};
        for (int i = 0; i < 3; i++) {
            CHECK(ask_udp(node.client, {node_address, 443}, from_one_port) == "gateway " + own + " 3");
            CHECK(ask_tcp(node.client, {node_address, 80}, from_one_port) == "gateway " + own);
            CHECK(ask_tcp(node.client, {pod_address, 9080}, from_one_port) == "gateway " + own);
        }
    }
}

TEST_CASE("traffic that only passes through the node isn't touched", "[passing]")
{
    Node node;
    const ServingGateway gateway(node);
    Pod neighbour(node, {.name = "neighbour", .kubernetes_namespace = "plain"});
    require_ok(neighbour.add());
    TcpServer web(neighbour.netns, "neighbour", {"::", 80});
    UdpServer quic(neighbour.netns, "neighbour", {"::", 443});

    CHECK(ask_tcp(node.client, {neighbour.v4, 80}) == "neighbour " + client_v4);
    CHECK(ask_tcp(node.client, {neighbour.v6, 80}) == "neighbour " + client_v6);
    CHECK(ask_udp(node.client, {neighbour.v4, 443}) == "neighbour " + client_v4 + " 3");
    CHECK(ask_udp(node.client, {neighbour.v6, 443}) == "neighbour " + client_v6 + " 3");
    // The other direction: the gateway's own requests to somebody's port 80, and a pod's that use port 9080.
    TcpServer outside(node.client, "outside", {"::", 80});
    CHECK(ask_tcp(gateway.pod.netns, {client_v4, 80}) == "outside " + gateway.pod.v4);
    CHECK(ask_tcp(gateway.pod.netns, {client_v6, 80}) == "outside " + gateway.pod.v6);
    CHECK(ask_tcp(neighbour.netns, {client_v4, 80}, {.source = Target{neighbour.v4, 9080}}) ==
          "outside " + neighbour.v4);
}

TEST_CASE("an address that nobody configured isn't answered, one that `addresses` names is", "[passing]")
{
    Node node;
    const bool configured = GENERATE(false, true);
    CAPTURE(configured);
    if (configured)
        node.plugin["addresses"] = {"192.0.2.0/28", "2001:db8::10"};
    const ServingGateway gateway(node);

    const DialOptions limit{.limit = configured ? std::chrono::milliseconds(patience) : impatience};
    const std::string v4 = ask_tcp(node.client, {virtual_v4, 80}, limit);
    const std::string v6 = ask_tcp(node.client, {virtual_v6, 80}, limit);
    if (configured) {
        CHECK(v4 == "gateway " + client_v4);
        CHECK(v6 == "gateway " + client_v6);
        CHECK(ask_udp(node.client, {virtual_v4, 443}) == "gateway " + client_v4 + " 3");
        CHECK(ask_udp(node.client, {virtual_v6, 443}) == "gateway " + client_v6 + " 3");
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        CHECK_FALSE(ask_tcp(node.client, {"192.0.2.200", 80}, {.limit = impatience}).starts_with("gateway"));
    } else {
        CHECK_FALSE(v4.starts_with("gateway"));
        CHECK_FALSE(v6.starts_with("gateway"));
    }
}

TEST_CASE("a configured address may be an exposure's hostIP", "[passing]")
{
    Node node;
    node.plugin["addresses"] = {"192.0.2.10/32"};
    Pod gateway(node, {.expose = "192.0.2.10:80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    CHECK(ask_tcp(node.client, {virtual_v4, 80}) == "gateway " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
}

TEST_CASE("the node's addresses are followed, at the latest at the next gateway's ADD", "[passing]")
{
    Node node;
    const ServingGateway gateway(node);
    node.host.ip("addr add 192.168.100.9/24 dev eth0\n"
                 "addr add fd00:100::9/64 dev eth0 nodad\n");
    Pod next(node, {.name = "next", .expose = "8080:8080"});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {"192.168.100.9", 80}) == "gateway " + client_v4);
    CHECK(ask_tcp(node.client, {"fd00:100::9", 80}) == "gateway " + client_v6);

    node.host.ip("addr del 192.168.100.9/24 dev eth0\n");
    node.client.ip("route add 192.168.100.9/32 via " + node_v4 + "\n");
    Pod another(node, {.name = "another", .expose = "8081:8080"});
    require_ok(another.add());
    CHECK_FALSE(ask_tcp(node.client, {"192.168.100.9", 80}, {.limit = impatience}).starts_with("gateway"));
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
}

TEST_CASE("`devices` says where outside traffic arrives", "[passing]")
{
    Node node;
    const bool named = GENERATE(true, false);
    CAPTURE(named);
    node.plugin["devices"] = {named ? "eth*" : "bond*", "wlan0"};
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    const Answer answer = gateway.add();
    if (named) {
        REQUIRE(answer.ok());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    } else if (answer.ok()) {
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    } else {
        CHECK(answer.message().find("bond*") != std::string::npos);
        CHECK(node.footprint() == nothing);
    }
}
