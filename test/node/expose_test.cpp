// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport.dev/expose`: what a client outside sees of a gateway pod.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <memory>

using namespace sallyport::test;

TEST_CASE("a client reaches a gateway pod on the node's ports, with its own address", "[expose]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    CAPTURE(node.offload());
    Pod gateway(node, {.expose = "80:9080, 443:9443, 443:9443/udp"});
    TcpServer http(gateway.netns, "http", {"::", 9080});
    TcpServer tls(gateway.netns, "tls", {"::", 9443});
    UdpServer quic(gateway.netns, "quic", {"::", 9443});
    require_ok(gateway.add());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "http " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 80}) == "http " + client_v6);
    CHECK(ask_tcp(node.client, {node_v4, 443}) == "tls " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 443}) == "tls " + client_v6);
    CHECK(ask_udp(node.client, {node_v4, 443}) == "quic " + client_v4 + " 3");
    CHECK(ask_udp(node.client, {node_v6, 443}) == "quic " + client_v6 + " 3");
}

TEST_CASE("it works behind the real ptp and host-local plugins", "[expose]")
{
    Node node;
    node.cni_version = GENERATE("0.3.1", "0.4.0", "1.0.0");
    CAPTURE(node.cni_version);
    Pod gateway(node, {.expose = "80:9080", .primary = Primary::ptp});
    require_ok(gateway.add());
    CHECK(gateway.result == gateway.primary_result);

    TcpServer http(gateway.netns, "http", {"::", 9080});
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "http " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 80}) == "http " + client_v6);

    require_ok(gateway.del());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a gateway may listen on one family, on its own address, before or after ADD", "[expose]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080, 443:9443"});
    TcpServer before(gateway.netns, "before", {gateway.v4, 9080});
    require_ok(gateway.add());
    TcpServer after(gateway.netns, "after", {gateway.v6, 9443});

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "before " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 80}) == "refused");
    CHECK(ask_tcp(node.client, {node_v6, 443}) == "after " + client_v6);
    CHECK(ask_tcp(node.client, {node_v4, 443}) == "refused");
}

TEST_CASE("a pod with one family is exposed on that one", "[expose]")
{
    Node node;
    const bool v4 = GENERATE(true, false);
    CAPTURE(v4);
    Pod gateway(node, {.expose = "80:9080", .v4 = v4, .v6 = !v4});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == (v4 ? "gateway " + client_v4 : "refused"));
    CHECK(ask_tcp(node.client, {node_v6, 80}) == (v4 ? "refused" : "gateway " + client_v6));
}

TEST_CASE("hostIP narrows an exposure to one address", "[expose]")
{
    Node node;
    node.host.ip("addr add 192.168.100.7/24 dev eth0\n"
                 "addr add fd00:100::7/64 dev eth0 nodad\n");
    Pod gateway(node, {.expose = "192.168.100.7:80:9080, [fd00:100::7]:443:9443"});
    TcpServer v4(gateway.netns, "v4", {"::", 9080});
    TcpServer v6(gateway.netns, "v6", {"::", 9443});
    require_ok(gateway.add());

    CHECK(ask_tcp(node.client, {"192.168.100.7", 80}) == "v4 " + client_v4);
    CHECK(ask_tcp(node.client, {"fd00:100::7", 443}) == "v6 " + client_v6);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    CHECK(ask_tcp(node.client, {"fd00:100::7", 80}) == "refused");
    CHECK(ask_tcp(node.client, {node_v6, 443}) == "refused");
}

TEST_CASE("two pods of one namespace may hold one port on two addresses", "[expose]")
{
    Node node;
    node.host.ip("addr add 192.168.100.7/24 dev eth0\n");
    Pod first(node, {.name = "first", .expose = node_v4 + ":80:9080"});
    Pod second(node, {.name = "second", .expose = "192.168.100.7:80:9080"});
    TcpServer one(first.netns, "first", {"::", 9080});
    TcpServer two(second.netns, "second", {"::", 9080});
    require_ok(first.add());
    require_ok(second.add());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "first " + client_v4);
    CHECK(ask_tcp(node.client, {"192.168.100.7", 80}) == "second " + client_v4);
}

TEST_CASE("other ports and the host's own services stay as they are", "[expose]")
{
    Node node;
    TcpServer of_host(node.host, "host", {"::", 22});
    UdpServer dns(node.host, "dns", {"::", 80});
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    TcpServer unexposed(gateway.netns, "unexposed", {"::", 81});
    require_ok(gateway.add());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 22}) == "host " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 22}) == "host " + client_v6);
    CHECK(ask_tcp(node.client, {node_v4, 81}) == "refused");
    CHECK(ask_tcp(node.client, {node_v6, 9080}) == "refused");
    CHECK(ask_udp(node.client, {node_v4, 80}) == "dns " + client_v4 + " 3");
}

TEST_CASE("a port whose gateway doesn't listen is refused, as on any host", "[expose]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080, 443:9443/udp"});
    require_ok(gateway.add());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    CHECK(ask_tcp(node.client, {node_v6, 80}) == "refused");
    CHECK(ask_udp(node.client, {node_v4, 443}) == "refused");
    CHECK(ask_udp(node.client, {node_v6, 443}) == "refused");
}

TEST_CASE("new connections go to the youngest pod that listens, old ones stay", "[expose]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = "80:9080"});
    Pod younger(node, {.name = "younger", .expose = "80:9080"});
    TcpServer first(older.netns, "older", {"::", 9080});
    require_ok(older.add());
    Connection before(node.client, {node_v4, 80});
    before.send("echo\n");
    REQUIRE(before.read_line() == "ready");

    require_ok(younger.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "older " + client_v4);  // the younger doesn't listen yet
    {
        TcpServer second(younger.netns, "younger", {"::", 9080});
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "younger " + client_v4);
        before.send("still here\n");
        CHECK(before.read_line() == "still here");
    }
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "older " + client_v4);  // the younger has stopped listening

    require_ok(younger.del());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "older " + client_v4);
    before.send("and here\n");
    CHECK(before.read_line() == "and here");
}

TEST_CASE("share: spread lets every listening pod take connections", "[expose]")
{
    Node node;
    std::vector<std::unique_ptr<Pod>> pods;
    std::vector<std::unique_ptr<TcpServer>> servers;
    for (const char* name : {"a", "b"}) {
        pods.push_back(std::make_unique<Pod>(
            node, PodSpec{.name = name, .expose = "80:9080", .annotations = {{"sallyport.dev/share", "spread"}}}));
        servers.push_back(std::make_unique<TcpServer>(pods.back()->netns, name, Target{"::", 9080}));
        require_ok(pods.back()->add());
    }
    std::map<std::string, int> answers;
    for (int i = 0; i < 200; i++)
        answers[ask_tcp(node.client, {node_v4, 80})]++;
    CHECK(answers.size() == 2);
    CHECK(answers["a " + client_v4] > 40);
    CHECK(answers["b " + client_v4] > 40);
}
