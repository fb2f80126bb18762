// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/flow_view.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

const Instant flows_time(1000s);

Flow flow(std::uint16_t client_port, std::chrono::seconds idle = 2s)
{
    Flow result;
    result.established = true;
    result.client = *Address::parse("203.0.113.7");
    result.client_port = result.shown_port = client_port;
    result.asked = {*Address::parse("192.168.1.10"), HostPort{443}, Protocol::udp, Scope::node};
    result.backend = {*Address::parse("10.0.0.5"), PodPort{9443}, Protocol::udp};
    result.generation = 3;
    result.last_seen = flows_time - idle;
    return result;
}

PodNames pods()
{
    BoundPod pod;
    pod.id = {"c0ffee", "eth0"};
    pod.generation = 3;
    pod.pod_namespace = "apisix";
    pod.pod_name = "apisix-1";
    return names_of({pod});
}

std::vector<std::uint16_t> ports_of(const std::vector<Flow>& flows)
{
    std::vector<std::uint16_t> ports;
    for (const Flow& each : flows)
        ports.push_back(each.client_port);
    return ports;
}

}  // namespace

TEST_CASE("a port filter is a number, and a protocol if one is said", "[cli]")
{
    CHECK(parse_port_filter("80")->port == HostPort{80});
    CHECK_FALSE(parse_port_filter("80")->protocol);
    CHECK(parse_port_filter("443/UDP")->protocol == Protocol::udp);
    for (const char* wrong : {"", "0", "http", "80/", "/tcp", "80/sctp", "80/tcp/udp", "65536"})
        CHECK_FALSE(parse_port_filter(wrong));
}

TEST_CASE("flows are filtered by the port that was asked and by the pod", "[cli]")
{
    const auto passes = [](const FlowFilter& filter) { return filter.lets_through(flow(1), pods()); };
    CHECK(passes({}));
    CHECK(passes({parse_port_filter("443"), ""}));
    CHECK(passes({parse_port_filter("443/udp"), "apisix/apisix-1"}));
    CHECK(passes({std::nullopt, "apisix-1"}));
    CHECK_FALSE(passes({parse_port_filter("443/tcp"), ""}));
    CHECK_FALSE(passes({parse_port_filter("9443"), ""}));
    CHECK_FALSE(passes({std::nullopt, "kong/apisix-1"}));
    Flow of_nobody = flow(1);
    of_nobody.generation = 4;
    CHECK_FALSE(FlowFilter{std::nullopt, "apisix-1"}.lets_through(of_nobody, pods()));
}

TEST_CASE("of many flows, the ones seen last are kept", "[cli]")
{
    RecentFlows recent(3);
    for (const auto& [port, idle] : {std::pair(1, 50s), {2, 10s}, {3, 30s}, {4, 20s}, {5, 60s}})
        recent.add(flow(static_cast<std::uint16_t>(port), idle));
    CHECK(recent.left_out() == 2);
    CHECK(ports_of(recent.take()) == std::vector<std::uint16_t>{2, 4, 3});

    RecentFlows all(10);
    all.add(flow(1));
    CHECK(all.left_out() == 0);
    CHECK(all.take().size() == 1);
}

TEST_CASE("a flow's line", "[cli]")
{
    const PodNames names = pods();
    FlowTable table(names, flows_time);
    table.add(flow(5000));
    Flow clashing = flow(5000, 65s);
    clashing.shown_port = 40001;
    clashing.established = false;
    clashing.generation = 9;
    table.add(clashing);
    CHECK(table.render({}) ==
          "CLIENT            NODE PORT             POD              BACKEND        STATE             IDLE  SHOWN AS\n"
          "203.0.113.7:5000  192.168.1.10:443/udp  apisix/apisix-1  10.0.0.5:9443  established        2 s\n"
          "203.0.113.7:5000  192.168.1.10:443/udp  pod #9           10.0.0.5:9443  new          1 min 5 s  :40001\n");
}

TEST_CASE("a flow as JSON", "[cli]")
{
    CHECK(to_json(flow(5000), pods(), flows_time) ==
          R"({"client":"203.0.113.7","clientPort":5000,"shownPort":5000,"scope":"node","address":"192.168.1.10",)"
          R"("port":443,"protocol":"udp","namespace":"apisix","pod":"apisix-1","containerID":"c0ffee",)"
          R"("podAddress":"10.0.0.5","containerPort":9443,"tier":"answered","state":"established","idleMs":2000})");
}
