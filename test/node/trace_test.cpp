// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport trace`: what happened, and what happens.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/tool.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <sstream>

using namespace sallyport::test;

namespace {

std::vector<Json> events_in(const std::string& text)
{
    std::vector<Json> events;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        events.push_back(Json::parse(line));
    return events;
}

/// The kept events, as JSON.
std::vector<Json> kept_events(const Node& node, std::vector<std::string> more = {})
{
    more.insert(more.begin(), {"trace", "--json", "--no-follow"});
    const Output output = node.tool(more);
    INFO(output.out << output.err);
    REQUIRE(output.status == 0);
    return events_in(output.out);
}

Json last_of(const std::vector<Json>& events, const std::string& kind)
{
    Json last;
    for (const Json& event : events)
        if (event.at("kind") == kind)
            last = event;
    return last;
}

}  // namespace

TEST_CASE("a node without gateways has no events, and a tracer that doesn't follow ends", "[trace]")
{
    const Node node;
    const Output output = node.tool({"trace", "--no-follow"});
    CHECK(output.status == 0);
    CHECK(output.out.empty());
}

TEST_CASE("a pod that is refused, as often as its runtime tries, is one event, with the reason", "[trace]")
{
    Node node;
    Pod holder(node, {.name = "holder", .expose = "80:9080"});
    require_ok(holder.add());
    for (int tries = 0; tries < 3; tries++) {
        Pod late(node, {.name = "late", .kubernetes_namespace = "others", .expose = "80:9080"});
        REQUIRE(late.add().code() == 101);
    }
    Pod wrong(node, {.name = "wrong", .kubernetes_namespace = "others", .expose = "80"});
    REQUIRE(wrong.add().code() == 102);

    std::vector<Json> rejects;
    for (const Json& event : kept_events(node))
        if (event.at("kind") == "reject")
            rejects.push_back(event);
    REQUIRE(rejects.size() == 2);
    CHECK(rejects[0].at("pod").at("name") == "others/late");
    CHECK(rejects[0].at("reason") == "node port taken");
    CHECK(rejects[1].at("pod").at("name") == "others/wrong");
    CHECK(rejects[1].at("reason") == "annotation wrong");
    const Output lines = node.tool({"trace", "--no-follow"});
    CHECK(lines.out.find("reject    -         others/late was refused: node port taken") != std::string::npos);
}

TEST_CASE("bind, unbind, handover and hold are told, with pods by their names", "[trace]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = "80:9080"});
    Pod younger(node, {.name = "younger", .expose = "80:9080"});
    Pod holder(node, {.name = "holder", .expose = "443:9443", .annotations = {{"sallyport.dev/hold", "60s"}}});
    for (Pod* pod : {&older, &younger, &holder})
        require_ok(pod->add());
    const TcpServer first(older.netns, "older", {"::", 9080});
    REQUIRE(ask_tcp(node.client, {node_v4, 80}).starts_with("older"));
    const TcpServer second(younger.netns, "younger", {"::", 9080});
    REQUIRE(ask_tcp(node.client, {node_v4, 80}).starts_with("younger"));
    CHECK(ask_tcp(node.client, {node_v4, 443}, {.limit = impatience}) == "silence");
    require_ok(older.del());

    const std::vector<Json> events = kept_events(node);
    const Json bind = events.at(0);
    CHECK(bind.at("kind") == "bind");
    CHECK(bind.at("number") == 1);
    CHECK(bind.at("port") == 80);
    CHECK(bind.at("pod").at("name") == "gateways/older");
    const Json handover = last_of(events, "handover");
    CHECK(handover.at("previousPod").at("name") == "gateways/older");
    CHECK(handover.at("pod").at("name") == "gateways/younger");
    const Json hold = last_of(events, "hold");
    CHECK(hold.at("client").get<std::string>().starts_with(client_v4 + ":"));
    CHECK(hold.at("port") == 443);
    const Json refusal = last_of(events, "refusal");  // its stack answered that nobody listens
    CHECK(refusal.at("pod").at("name") == "gateways/holder");
    CHECK(refusal.at("outcome") == "kept");
    CHECK(refusal.at("client") == hold.at("client"));
    CHECK(last_of(events, "unbind").at("pod").at("name") == "gateways/older");

    const std::vector<Json> rest = kept_events(node, {"--since", std::to_string(handover.at("number").get<int>())});
    CHECK(rest.at(0).at("number") == handover.at("number").get<int>() + 1);

    const Output lines = node.tool({"trace", "--no-follow"});
    CHECK(lines.out.find("handover  80/tcp") != std::string::npos);
    CHECK(lines.out.find("gateways/older -> gateways/younger") != std::string::npos);
    CHECK(lines.out.find("\x1b") == std::string::npos);
}

TEST_CASE("a tracer waits for the first gateway, and goes on after the last one is gone", "[trace]")
{
    Node node;
    Follower trace(node, "trace --json");
    {
        Pod gateway(node, {.name = "early", .expose = "80:9080"});
        require_ok(gateway.add());
        CHECK(trace.prints("gateways/early", 2));  // IPv4 and IPv6
        require_ok(gateway.del());                 // and the state with it
    }
    Pod gateway(node, {.name = "late", .expose = "80:9080, 443:9443"});
    require_ok(gateway.add());
    CHECK(trace.prints("gateways/late", 4));
    const Output end = trace.stop(SIGINT);
    CHECK(end.status == 0);
    CHECK(end.err.empty());
    const std::vector<Json> events = events_in(trace.text());
    CHECK(events.at(0).at("number") == 1);
    CHECK(last_of(events, "bind").at("number") == 4);
    CHECK(last_of(events, "missed").is_null());
}

TEST_CASE("a tracer ends with its reader, and by SIGTERM", "[trace]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const Output piped = shell(node, tool_command(node, "trace") + " | head -n 1");
    CHECK(piped.status == 0);
    CHECK(piped.out.find("bind") != std::string::npos);
    CHECK(piped.err.empty());

    Follower trace(node, "trace");
    CHECK(trace.prints("bind"));
    CHECK(trace.stop(SIGTERM).status == 0);
}

TEST_CASE("events that were overwritten unread are counted", "[trace]")
{
    Node node;
    Pod gateway(node, {.expose = "8000:80, 8001:80, 8002:80, 8003:80, 8004:80, 8005:80, 8006:80, 8007:80"});
    for (int i = 0; i < 80; i++)  // each 16 binds at least, and 1,024 events are kept
        require_ok(gateway.add());
    const std::vector<Json> events = kept_events(node, {"--since", "1"});
    REQUIRE(events.size() > 1000);
    CHECK(events.at(0).at("kind") == "missed");
    CHECK(events.at(0).at("events").get<int>() + 2 == events.at(1).at("number"));
}
