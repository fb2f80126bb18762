// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/report.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace sallyport;
using OrderedJson = nlohmann::ordered_json;

TEST_CASE("a report's JSON is the same on one line and on many")
{
    NodeReport report;
    CHECK(OrderedJson::parse(to_json(report, false)) == OrderedJson::parse(to_json(report, true)));

    NodePortReport port;
    port.node_port = {Address::any_v4(), HostPort{80}, Protocol::tcp};
    port.pods = {{}, {}};
    port.pods.front().pod = "a \"pod\" of \xff bytes";
    report.node_ports = {port, port};
    report.remaps = {{port.node_port, port.pods.front(), {}}, {port.node_port, port.pods.front(), {}}};
    report.devices = {"eth0"};
    report.answered = {
        .own = {}, .configured = {*Prefix::parse("192.0.2.0/24")}, .excluded = {*Prefix::parse("192.0.2.9")}};
    report.flows.established = 3;
    report.drops = {{"clash", 1}};
    const std::string line = to_json(report, false);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(OrderedJson::parse(line) == OrderedJson::parse(to_json(report, true)));
    CHECK(OrderedJson::parse(line).at("nodePorts").size() == 2);
    CHECK(OrderedJson::parse(line).at("drops").at("clash") == 1);
    CHECK(OrderedJson::parse(line).at("addresses") == OrderedJson{"192.0.2.0/24"});
    CHECK(OrderedJson::parse(line).at("excludedAddresses") == OrderedJson{"192.0.2.9/32"});
}

TEST_CASE("where there is nothing yet, every reason for a drop counts 0", "[report]")
{
    CHECK(OrderedJson::parse(to_json({}, false)).at("drops") == OrderedJson{{"clash", 0}, {"rewrite_failed", 0}});
}
