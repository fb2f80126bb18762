// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport flows`, with real connections.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/tool.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <memory>
#include <set>

using namespace sallyport::test;

namespace {

struct RemappedGateway
{
    explicit RemappedGateway(Node& node)
        : pod(node, {.name = "gateway",
                     .expose = "80:9080, 443:9080/udp",
                     .annotations = {{"sallyport.dev/remap", "8080:9080"}}})
    {
        require_ok(pod.add());
        tcp = std::make_unique<TcpServer>(pod.netns, "gateway", Target{"::", 9080});
        udp = std::make_unique<UdpServer>(pod.netns, "gateway", Target{"::", 9080});
    }

    Pod pod;
    std::unique_ptr<TcpServer> tcp;
    std::unique_ptr<UdpServer> udp;
};

/// Connections that stay open while this lives.
class OpenConnections
{
public:
    OpenConnections(const Node& node, const Target& target, int count)
    {
        for (int i = 0; i < count; i++) {
            connections_.push_back(std::make_unique<Connection>(node.client, target));
            connections_.back()->send("echo\n");
            REQUIRE(connections_.back()->read_line() == "ready");
        }
    }

private:
    std::vector<std::unique_ptr<Connection>> connections_;
};

Json flows(const Node& node, std::vector<std::string> words = {})
{
    words.insert(words.begin(), {"flows", "--json"});
    const Output output = node.tool(words);
    INFO(output.out << output.err);
    REQUIRE(output.status == 0);
    return Json::parse(output.out);
}

}  // namespace

TEST_CASE("flows of a node without gateways", "[flows]")
{
    const Node node;
    CHECK(flows(node) == Json::array());
    const Output table = node.tool({"flows"});
    CHECK(table.status == 0);
    CHECK(table.out == "No live flow.\n");
}

TEST_CASE("each live connection is listed with its client, port and pod", "[flows]")
{
    Node node;
    const RemappedGateway gateway(node);
    const OpenConnections v4(node, {node_v4, 80}, 2);
    const OpenConnections v6(node, {node_v6, 80}, 1);
    const OpenConnections remapped(node, {gateway.pod.v4, 8080}, 1);
    REQUIRE(ask_udp(node.client, {node_v4, 443}).starts_with("gateway"));

    const Json all = flows(node);
    INFO(all.dump(2));
    REQUIRE(all.size() == 5);
    std::multiset<std::string> asked;
    for (const Json& flow : all) {
        CHECK(flow.at("pod") == "gateway");
        CHECK(flow.at("namespace") == "gateways");
        CHECK(flow.at("containerID") == gateway.pod.container_id);
        CHECK(flow.at("containerPort") == 9080);
        CHECK(flow.at("state") == "established");
        CHECK(flow.at("clientPort") == flow.at("shownPort"));
        asked.insert(flow.at("address").get<std::string>() + " " + std::to_string(flow.at("port").get<int>()) + " " +
                     flow.at("scope").get<std::string>());
    }
    CHECK(asked == std::multiset<std::string>{node_v4 + " 80 node", node_v4 + " 80 node", node_v6 + " 80 node",
                                              node_v4 + " 443 node", gateway.pod.v4 + " 8080 pod"});

    CHECK(flows(node, {"--port", "80"}).size() == 3);
    CHECK(flows(node, {"--port", "443/udp"}).size() == 1);
    CHECK(flows(node, {"--port", "443/tcp"}).empty());
    CHECK(flows(node, {"--pod", "gateways/gateway"}).size() == 5);
    CHECK(flows(node, {"--pod", "gateways/other"}).empty());
    CHECK(flows(node, {"--limit", "2"}).size() == 2);
}

TEST_CASE("the table of flows says how many it leaves out", "[flows]")
{
    Node node;
    const RemappedGateway gateway(node);
    const OpenConnections open(node, {node_v4, 80}, 5);
    const Output some = node.tool({"flows", "--limit", "3"});
    INFO(some.out << some.err);
    CHECK(std::count(some.out.begin(), some.out.end(), '\n') == 1 + 3 + 1);
    CHECK(some.out.find("and 2 more") != std::string::npos);
    const Output all = node.tool({"flows"});
    CHECK(std::count(all.out.begin(), all.out.end(), '\n') == 1 + 5);
    CHECK(all.out.find(node_v4 + ":80/tcp") != std::string::npos);
    CHECK(all.out.find("gateways/gateway") != std::string::npos);
    CHECK(all.out.find("established") != std::string::npos);
}

TEST_CASE("a long list is streamed, and a reader may leave", "[flows]")
{
    Node node;
    const RemappedGateway gateway(node);
    const OpenConnections open(node, {node_v4, 80}, 700);
    const Output lines = shell(node, tool_command(node, "flows") + " | wc -l");
    CHECK(std::stoi(lines.out) == 701);  // one line of titles for all pieces
    CHECK(flows(node).size() == 700);
    const Output head =
        execute({.argv = {"sh", "-c", tool_command(node, "flows") + " | head -n 1"}, .netns = &node.host});
    CHECK(head.out.starts_with("CLIENT"));
    CHECK(head.err.empty());
}
