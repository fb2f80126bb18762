// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "../../plugin/web/status_json.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace sallyport;
using namespace sallyport::web;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

const Origin origin{"node-7", {"1.2.3", "abc"}, Instant(1h), std::chrono::system_clock::time_point(1764097244123ms)};

Event event(EventKind kind, std::uint64_t number)
{
    Event made;
    made.number = number;
    made.time = origin.steady - 1500ms;
    made.kind = kind;
    made.node_port = {Address::any_v4(), HostPort{80}, Protocol::tcp};
    made.peer = {*Address::parse("10.0.1.7"), PodPort{9080}, Protocol::tcp};
    return made;
}

Json status(const History& history, const AgentState& agent = {}, const Look& look = {})
{
    return Json::parse(status_json(look, history, agent, origin));
}

}  // namespace

TEST_CASE("status.json: the report, the agent and the time, in one object", "[web]")
{
    Look look;
    look.rates_over = 2100ms;
    look.report.flows.established = 7;
    AgentState agent;
    agent.alive = true;
    agent.problems = {"a \"problem\"", "broken UTF-8: \xff"};
    const Json json = status({}, agent, look);
    CHECK(json.at("node") == "node-7");
    CHECK(json.at("time") == "2025-11-25T19:00:44.123Z");
    CHECK(json.at("ratesOverMs") == 2100);
    CHECK(json.at("flows").at("established") == 7);
    CHECK(json.at("nodePorts") == Json::array());
    CHECK(json.at("agent").at("alive") == true);
    CHECK(json.at("agent").at("ready") == false);
    CHECK(json.at("agent").at("problems").at(0) == "a \"problem\"");
    CHECK(json.at("agent").at("version") == "1.2.3");
    CHECK(status({}).at("ratesOverMs") == nullptr);
    CHECK(status({}).at("tablesOfAnotherAbi") == nullptr);
    look.another_abi = 4;
    CHECK(status({}, agent, look).at("tablesOfAnotherAbi") == 4);
}

TEST_CASE("status.json: events name their pods and tell the time of day", "[web]")
{
    Event bind = event(EventKind::bind, 1);
    bind.pod = 11;
    Event handover = event(EventKind::handover, 2);
    handover.pod = 12;
    handover.previous_pod = 11;
    handover.reason = "answer";
    Event drop = event(EventKind::drop, 3);
    drop.reason = "clash";
    const Json events = status({{drop, handover, bind}, {{11, "apisix/old"}}}).at("events");
    REQUIRE(events.size() == 3);
    CHECK(events.at(0).at("kind") == "drop");
    CHECK(events.at(0).at("reason") == "clash");
    CHECK(events.at(0).at("client") == "10.0.1.7:9080/tcp");
    CHECK(events.at(1).at("pod") == "a pod that is gone");
    CHECK(events.at(1).at("from") == "apisix/old");
    CHECK(events.at(1).at("witness") == "answer");
    CHECK(events.at(2).at("pod") == "apisix/old");
    CHECK(events.at(2).at("backend") == "10.0.1.7:9080/tcp");
    CHECK(events.at(2).at("nodePort") == "0.0.0.0:80/tcp");
    CHECK(events.at(2).at("time") == "2025-11-25T19:00:42.623Z");
}
