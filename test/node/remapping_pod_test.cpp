// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods that remap their own ports, as the CNI calls and `status` see them.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport::test;

TEST_CASE("a pod that only remaps needs no outside device, no port of the node, and nobody's leave", "[cni]")
{
    Node node;
    node.cni_version = "1.1.0";
    node.plugin["devices"] = {"none*"};
    node.plugin["gateways"] = {{"namespaces", Json::array()}};
    TcpServer of_host(node.host, "host", {"::", 80});
    Pod pod(node, {.name = "remapping", .annotations = {{"sallyport.dev/remap", "80:9080"}}});
    TcpServer server(pod.netns, "pod", {"::", 9080});
    require_ok(pod.add());
    require_ok(pod.check());

    const Json status = node.status();
    CHECK(status.at("nodePorts") == Json::array());
    CHECK(status.at("devices") == Json::array());
    REQUIRE(status.at("remaps").size() == 2);  // IPv4 and IPv6
    for (const Json& remap : status.at("remaps")) {
        CHECK(remap.at("namespace") == "gateways");
        CHECK(remap.at("pod") == "remapping");
        CHECK(remap.at("containerID") == pod.container_id);
        CHECK((remap.at("address") == pod.v4 || remap.at("address") == pod.v6));
        CHECK(remap.at("port") == 80);
        CHECK(remap.at("protocol") == "tcp");
        CHECK(remap.at("containerPort") == 9080);
        CHECK(remap.at("listening") == true);
    }
    const Output table = node.tool({"status"});
    CHECK(table.out.find("No pod holds a port of this node.") != std::string::npos);
    CHECK(table.out.find(pod.v4 + ":80/tcp") != std::string::npos);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "host " + client_v4);

    require_ok(pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("where a pod exposes a port that it remaps, status asks at the remap's end", "[status]")
{
    Node node;
    Pod pod(node, {.expose = "80:80", .annotations = {{"sallyport.dev/remap", "80:9080"}}});
    TcpServer server(pod.netns, "pod", {"::", 9080});
    require_ok(pod.add());

    const Json status = node.status();
    REQUIRE(status.at("nodePorts").size() == 2);
    REQUIRE(status.at("remaps").size() == 2);
    for (const Json& port : status.at("nodePorts")) {
        const Json& first = port.at("pods").at(0);
        CHECK(first.at("containerPort") == 80);
        CHECK(first.at("listener") == 9080);
        CHECK(first.at("listening") == true);
        CHECK(first.at("takesNew") == true);
    }
}

TEST_CASE("status shows how pods share, and what it lacks to take over", "[status]")
{
    Node node;
    const std::map<std::string, std::string> wishes{{"sallyport.dev/settle", "60s"}, {"sallyport.dev/hold", "1500ms"}};
    Pod older(node, {.name = "older", .expose = "80:9080", .annotations = wishes});
    Pod younger(node, {.name = "younger", .expose = "80:9080", .annotations = wishes});
    TcpServer one(older.netns, "older", {"::", 9080});
    TcpServer two(younger.netns, "younger", {"::", 9080});
    require_ok(older.add());
    require_ok(younger.add());

    const Json port = node.status().at("nodePorts").at(0);
    CHECK(port.at("share") == "newest");
    CHECK(port.at("settleMs") == 60'000);
    CHECK(port.at("holdMs") == 1500);
    CHECK(port.at("waitsForPodMs").is_null());
    CHECK(port.at("handovers") == 0);
    CHECK(port.at("held") == 0);
    CHECK(port.at("pods").at(0).at("takesNew") == false);
    const std::string why = port.at("pods").at(0).at("why");
    CHECK(why.starts_with("has listened for "));
    CHECK(why.ends_with("s, settles for 60s"));
    CHECK(port.at("pods").at(1).at("takesNew") == true);
    CHECK(node.tool({"status"}).out.find("newest, settle 60s, hold 1500ms") != std::string::npos);
}

TEST_CASE("CHECK misses a remap as it misses an exposure", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod pod(node, {.expose = "80:9080"});
    require_ok(pod.add());
    require_ok(pod.check());
    PluginCall call = pod.call("CHECK");
    Json config = Json::parse(call.stdin_text);
    config["runtimeConfig"]["io.kubernetes.cri.pod-annotations"]["sallyport.dev/remap"] = "81:9080";
    call.stdin_text = config.dump();
    const Answer answer = call_plugin(sallyport_binary(), call, node.host);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.code() == 5);
    CHECK(answer.message().find(pod.v4 + ":81/tcp -> " + pod.v4 + ":9080/tcp") != std::string::npos);
}
