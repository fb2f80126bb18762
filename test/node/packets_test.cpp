// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Packets that are hard to rewrite: large ones, checksums in every state, IPv4 options, connections that close oddly.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <netinet/ip.h>

using namespace sallyport::test;

namespace {}  // namespace

TEST_CASE("large transfers arrive unharmed, with and without segmentation offload", "[packets]")
{
    Node node;
    const bool offload = GENERATE(true, false);
    const std::string address = GENERATE(node_v4, node_v6);
    CAPTURE(offload, address);
    node.set_offload(offload);
    const ServingGateway gateway(node);
    CHECK(transfer_both_ways(node.client, {address, 80}, 50'000'000) == "");
}

TEST_CASE("datagrams of every size that fits a packet arrive", "[packets]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const ServingGateway gateway(node);
    for (const std::size_t size : {1U, 2U, 3U, 8U, 100U, 1001U, 1452U, 1472U}) {
        const std::string datagram = pattern(size);
        CAPTURE(size);
        CHECK(ask_udp(node.client, {node_v4, 443}, {}, datagram) ==
              "gateway " + client_v4 + ' ' + std::to_string(size));
        if (size <= 1452)
            CHECK(ask_udp(node.client, {node_v6, 443}, {}, datagram) ==
                  "gateway " + client_v6 + ' ' + std::to_string(size));
    }
}

TEST_CASE("a datagram without a checksum arrives", "[packets]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const ServingGateway gateway(node);
    CHECK(ask_udp(node.client, {node_v4, 443}, {.no_checksum = true}) == "gateway " + client_v4 + " 3");
}

TEST_CASE("IPv4 options are kept", "[packets]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const ServingGateway gateway(node);
    const std::string no_operations{IPOPT_NOP, IPOPT_NOP, IPOPT_NOP, IPOPT_EOL};
    std::string record_route(39, '\0');
    record_route[0] = IPOPT_RR;
    record_route[1] = 39;
    record_route[2] = 4;
    record_route.push_back(IPOPT_EOL);
    for (const std::string& options : {no_operations, record_route}) {
        CHECK(ask_tcp(node.client, {node_v4, 80}, {.ip_options = options}) == "gateway " + client_v4);
        CHECK(ask_udp(node.client, {node_v4, 443}, {.ip_options = options}) == "gateway " + client_v4 + " 3");
    }
}

TEST_CASE("a client's port may be used again at once, after a close and after a reset", "[packets]")
{
    Node node;
    node.set_offload(false);
    const ServingGateway gateway(node);
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        const DialOptions from_one_port{.source = Target{own, 50000}};
        for (int i = 0; i < 5; i++) {
            Connection closed(node.client, {address, 80}, from_one_port);
            CHECK(closed.send("who\n"));
            CHECK(closed.read_line() == "gateway " + own);
            CHECK(closed.read_all().empty());  // the server closes first, so that the client's port needn't wait
            Connection reset(node.client, {address, 80}, {.source = Target{own, 50001}});
            const linger at_once{1, 0};
            setsockopt(reset.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
    }
}

TEST_CASE("a connection closed by one side goes on in the other direction", "[packets]")
{
    Node node;
    node.set_offload(false);
    const ServingGateway gateway(node);
    Connection half_closed(node.client, {node_v4, 80});
    half_closed.send("give 300000\n");
    half_closed.finish();
    CHECK(half_closed.read_all() == pattern(300000));
}

TEST_CASE("many connections at once", "[packets]")
{
    Node node;
    node.set_offload(true);
    const ServingGateway gateway(node);
    std::vector<std::unique_ptr<Connection>> connections;
    for (int i = 0; i < 200; i++) {
        connections.push_back(std::make_unique<Connection>(node.client, Target{i % 2 ? node_v4 : node_v6, 80}));
        connections.back()->send("echo\n");
    }
    for (auto& connection : connections)
        REQUIRE(connection->read_line() == "ready");
    for (auto& connection : connections)
        connection->send("hello\n");
    for (auto& connection : connections)
        CHECK(connection->read_line() == "hello");
}
