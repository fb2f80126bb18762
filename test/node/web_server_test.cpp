// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Metrics, health and the health of node ports over HTTP, on a node with pods and traffic.
#include "sallyport/error.hpp"
#include "support/prometheus.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"
#include "support/web.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <thread>

using namespace sallyport::test;
using sallyport::AgentState;
using sallyport::Error;

namespace {

/// Until a fresh look at the tables is due.
void let_the_look_age()
{
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
}

std::vector<std::string> kinds(const Json& events)
{
    std::vector<std::string> kinds;
    for (const Json& event : events)
        kinds.push_back(event.at("kind"));
    return kinds;
}

}  // namespace

TEST_CASE("a node without gateways has metrics, health and a page", "[web]")
{
    const Node node;
    const Web web(node);
    const Metrics metrics = parse_metrics(web.get("/metrics").body);
    CHECK(metrics.types.size() == 14);
    CHECK(metrics.at("sallyport_build_info{version=1.2.3,commit=0123456789ab,abi=6}") == 1);
    CHECK(metrics.at("sallyport_flows{tier=established}") == 0);
    CHECK(web.get("/healthz").status == 200);
    CHECK(web.get("/readyz").status == 200);
    CHECK(web.get("/").body.find("<title>Sallyport</title>") != std::string::npos);
    CHECK(web.get("/page.js").status == 200);
    CHECK(web.get("/ports/80").status == 503);
    CHECK(web.get("/ports/80").body == "no pod holds port 80/tcp over IPv4\n");
    for (const char* path : {"/ports/", "/ports/0", "/ports/65536", "/ports/80/sctp", "/ports/80/tcp/", "/index.html",
                             "/../etc/passwd", "/metrics/", "//", "/%00"}) {
        INFO(path);
        CHECK(web.get(path).status == 404);
    }
    CHECK(web.status().at("nodePorts") == Json::array());
    CHECK(node.footprint() == nothing);  // to look makes nothing
}

TEST_CASE("health says what the agent says", "[web]")
{
    const Node node;
    Web web(node);
    AgentState state;
    web.say(state);
    CHECK(web.get("/healthz").status == 503);
    CHECK(web.get("/readyz").status == 503);
    CHECK(web.get("/readyz").body == "not ready yet\n");
    state.alive = true;
    state.problems = {"no conflist in /etc/cni/net.d", "bpffs isn't mounted"};
    web.say(state);
    CHECK(web.get("/healthz").status == 200);
    CHECK(web.get("/readyz").status == 503);
    CHECK(web.get("/readyz").body == "no conflist in /etc/cni/net.d\nbpffs isn't mounted\n");
    CHECK(web.status().at("agent").at("problems").size() == 2);
    state.ready = true;
    web.say(state);
    CHECK(web.get("/readyz").status == 200);
}

TEST_CASE("/ports/N follows the listener at once", "[web]")
{
    Node node;
    const Web web(node);
    Pod gateway(node, {.name = "apisix-1", .expose = "80:9080, 443:9443/udp"});
    require_ok(gateway.add());
    const HttpAnswer silent = web.get("/ports/80");
    CHECK(silent.status == 503);
    CHECK(silent.body == "held by gateways/apisix-1 (nothing listens on " + gateway.v4 + ":9080/tcp)\n");
    CHECK(web.get("/ports/80?family=ipv6").body ==
          "held by gateways/apisix-1 (nothing listens on [" + gateway.v6 + "]:9080/tcp)\n");
    CHECK(web.get("/ports/80?family=ip").status == 400);
    {
        TcpServer server(gateway.netns, "gateway", {"::", 9080});
        CHECK(web.get("/ports/80").status == 200);
        CHECK(web.get("/ports/80/tcp").status == 200);
        CHECK(web.get("/ports/80/udp").status == 503);
        CHECK(web.get("/ports/443/udp").status == 503);
        CHECK(web.get("/ports/9080").status == 503);  // the pod's port is none of the node's
        UdpServer quic(gateway.netns, "gateway", {"::", 9443});
        CHECK(web.get("/ports/443/udp").status == 200);
    }
    CHECK(web.get("/ports/80").status == 503);
    CHECK(web.get("/ports/443/udp").status == 503);

    const TcpServer again(gateway.netns, "gateway", {gateway.v6, 9080});  // of one family alone
    CHECK(web.get("/ports/80").status == 503);                            // asked over IPv4
    CHECK(web.get("/ports/80?family=ipv4").status == 503);
    CHECK(web.get("/ports/80?family=ipv6").status == 200);
    CHECK(exchange(node.host, web.at("::1"), "GET /ports/80 HTTP/1.1\r\n\r\n").status == 200);
    require_ok(gateway.del());
    CHECK(web.get("/ports/80").status == 503);
}

TEST_CASE("metrics count what passes", "[web]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    for (const std::string& address : {node_v4, node_v6, node_v6})
        REQUIRE(ask_tcp(node.client, {address, 80}) != "refused");
    const Connection open(node.client, {node_v4, 80});

    const Web web(node);
    const HttpAnswer answer = web.get("/metrics");
    CHECK(answer.head.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
    const Metrics metrics = parse_metrics(answer.body);
    CHECK(metrics.at("sallyport_node_ports{port=80,proto=tcp}") == 2);
    CHECK(metrics.at("sallyport_backends{port=80,proto=tcp,pod=gateway,namespace=gateways,listening=true}") == 2);
    CHECK(metrics.at("sallyport_witnesses{port=80,proto=tcp,pod=gateway,namespace=gateways,witness=socket,"
                     "kubernetes=none}") == 2);
    CHECK(metrics.at("sallyport_connections_total{port=80,proto=tcp,namespace=gateways}") == 4);
    for (const char* direction : {"in", "out"}) {
        CHECK(metrics.at("sallyport_packets_total{port=80,proto=tcp,direction=" + std::string(direction) + "}") >= 10);
        CHECK(metrics.at("sallyport_bytes_total{port=80,proto=tcp,direction=" + std::string(direction) + "}") >= 500);
    }
    CHECK(metrics.at("sallyport_flows{tier=established}") + metrics.at("sallyport_flows{tier=new}") >= 1);
    CHECK(metrics.at("sallyport_drops_total{reason=clash}") == 0);
}

TEST_CASE("a pod that comes and goes shows in metrics and status.json", "[web]")
{
    Node node;
    const Web web(node);
    Pod first(node, {.name = "first", .expose = "80:9080"});
    TcpServer server(first.netns, "first", {"::", 9080});
    require_ok(first.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "first " + client_v4);
    Json status = web.status();
    REQUIRE(status.at("nodePorts").size() == 2);
    CHECK(status.at("nodePorts").at(0).at("pods").at(0).at("takesNew") == true);
    CHECK(kinds(status.at("events")) == std::vector<std::string>{"bind", "bind"});
    CHECK(status.at("events").at(0).at("pod") == "gateways/first");

    Pod second(node, {.name = "second", .expose = "80:9080"});
    TcpServer its_server(second.netns, "second", {"::", 9080});
    require_ok(second.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "second " + client_v4);
    require_ok(first.del());
    let_the_look_age();
    status = web.status();
    CHECK(status.at("nodePorts").at(0).at("pods").size() == 1);
    const std::vector<std::string> seen = kinds(status.at("events"));
    CHECK(std::count(seen.begin(), seen.end(), "unbind") == 2);
    const auto handover = std::find(seen.begin(), seen.end(), "handover");
    REQUIRE(handover != seen.end());
    const Json& event = status.at("events").at(static_cast<std::size_t>(handover - seen.begin()));
    CHECK(event.at("pod") == "gateways/second");
    CHECK(event.at("from") == "gateways/first");  // who is gone by now
}

TEST_CASE("one look at the tables serves all who ask at once", "[web]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const Web web(node);
    const std::string before = web.get("/metrics").body;
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    CHECK(web.get("/ports/80").status == 200);  // but for this
    let_the_look_age();
    CHECK(web.get("/metrics").body != before);
}

TEST_CASE("the server listens where it is told to", "[web]")
{
    const Node node;
    const std::string hello = "GET /healthz HTTP/1.1\r\n\r\n";
    {
        const Web all(node, ":0");
        for (const std::string& address : {std::string("127.0.0.1"), std::string("::1"), node_v4, node_v6})
            CHECK(exchange(node.host, all.at(address), hello).status == 200);
        CHECK(exchange(node.client, all.at(node_v6), hello).status == 200);
    }
    const Web one(node, "[::1]:9465");
    CHECK(exchange(node.host, {"::1", 9465}, hello).status == 200);
    CHECK_THROWS_AS(dial(node.host, IPPROTO_TCP, {"127.0.0.1", 9465}), std::system_error);
    for (const auto& [listen, why] :
         {std::pair("[::1]:9465", "another process has that port"), std::pair(":9465", "another process has that port"),
          std::pair("203.0.113.9:9465", "no device of this node has that address"),
          std::pair("nonsense", "is no address")}) {
        INFO(listen);
        try {
            const Web taken(node, listen);
            FAIL("it listens");
        } catch (const Error& error) {
            CHECK(std::string(error.what()).find(why) != std::string::npos);
        }
    }
}
