// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What calls leave on the node where a node port waits for its next pod.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>
#include <thread>

using namespace sallyport::test;

namespace {

PodSpec holding(const std::string& name, const std::string& hold)
{
    return {.name = name, .expose = "80:9080", .annotations = {{"sallyport.dev/hold", hold}}};
}

/// Calls until nothing of ours is left; what is left once patience is over.
template <typename Call>
std::vector<std::string> footprint_after(const Node& node, Call&& call)
{
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::vector<std::string> left = node.footprint();
    while (left != nothing && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        call();
        left = node.footprint();
    }
    return left;
}

}  // namespace

TEST_CASE("a node port whose last pod wanted hold waits for the next, of whatever namespace", "[teardown]")
{
    Node node;
    Pod first(node, holding("first", "60s"));
    require_ok(first.add());
    {
        TcpServer server(first.netns, "first", {"::", 9080});
        REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "first " + client_v4);
    }
    const std::vector<std::string> footprint = node.footprint();
    require_ok(first.del());
    require_ok(first.del());  // runtimes call it twice
    Pod plain(node, {.name = "plain"});
    require_ok(plain.add());
    require_ok(plain.del());
    CHECK(node.footprint() == footprint);

    Json ports = node.status().at("nodePorts");
    REQUIRE(ports.size() == 2);  // IPv4 and IPv6
    for (const Json& port : ports) {
        CHECK(port.at("port") == 80);
        CHECK(port.at("pods") == Json::array());
        CHECK(port.at("holdMs") == 60'000);
        CHECK(port.at("waitsForPodMs") > 0);
        CHECK(port.at("waitsForPodMs") <= 60'000);
    }
    const Output table = node.tool({"status"});
    CHECK(table.out.find("waits for a pod, ") != std::string::npos);
    CHECK(table.out.find("newest, hold 60s") != std::string::npos);

    Pod next(node, {.name = "next", .kubernetes_namespace = "others", .expose = "80:9080"});
    TcpServer server(next.netns, "next", {"::", 9080});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "next " + client_v4);
    ports = node.status().at("nodePorts");
    REQUIRE(ports.size() == 2);
    CHECK(ports.at(0).at("pods").size() == 1);
    CHECK(ports.at(0).at("waitsForPodMs").is_null());
    CHECK(ports.at(0).at("connectionsTotal").get<int>() + ports.at(1).at("connectionsTotal").get<int>() == 2);

    require_ok(next.del());  // it wants no hold
    CHECK(node.footprint() == nothing);
}

TEST_CASE("once its time is over, the next DEL of anybody or GC leaves nothing", "[teardown]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, holding("gateway", "200ms"));
    require_ok(gateway.add());
    require_ok(gateway.del());
    CHECK(node.footprint() != nothing);
    const bool by_gc = GENERATE(true, false);
    CAPTURE(by_gc);
    Pod plain(node, {.name = "plain"});
    CHECK(footprint_after(node, [&] {
              require_ok(by_gc ? node.call("GC", {{"cni.dev/valid-attachments", Json::array()}}) : plain.del());
          }) == nothing);
}

TEST_CASE("a node port that waits doesn't keep what is left of a lost state for ever", "[teardown]")
{
    Node node;
    Pod gateway(node, holding("gateway", "200ms"));
    require_ok(gateway.add());
    require_ok(gateway.del());
    const std::string lost = GENERATE("pods", "node_ports", "port_uses", "meta");
    CAPTURE(lost);
    std::filesystem::remove(node.bpffs() / "sallyport" / "maps" / lost);
    CHECK(footprint_after(node, [&] { require_ok(gateway.del()); }) == nothing);
}
