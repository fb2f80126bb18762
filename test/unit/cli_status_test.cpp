// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/status_view.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

PodReport pod_report(const std::string& name, const std::string& address, bool listening, bool takes_new)
{
    PodReport report;
    report.pod_namespace = "apisix";
    report.pod = report.container_id = name;
    report.backend = {*Address::parse(address), PodPort{9080}, Protocol::tcp};
    report.candidate.listener = report.backend;
    if (listening)
        report.candidate.seen.listening_since = NodeReport{}.sample.at - 185s;
    report.choice = {takes_new, takes_new ? "youngest that listens" : "a younger pod listens"};
    report.flows = 2;
    return report;
}

NodePortReport port(const std::string& address, std::uint16_t number, std::vector<PodReport> pods)
{
    NodePortReport report;
    report.node_port = {*Address::parse(address), HostPort{number}, Protocol::tcp, Scope::node};
    report.pods = std::move(pods);
    report.traffic.connections = 40;
    report.rates = {10, 1000, 2000};
    return report;
}

std::vector<std::string> names_of(const std::vector<PortGroup>& groups)
{
    std::vector<std::string> names;
    for (const PortGroup& group : groups)
        names.push_back(group.name);
    return names;
}

using PortNames = std::vector<std::string>;

}  // namespace

TEST_CASE("IPv4 and IPv6 become one line where the same is to be said of both", "[cli]")
{
    const auto v4 = port("0.0.0.0", 80, {pod_report("a", "10.0.0.1", true, true)});
    const auto v6 = port("::", 80, {pod_report("a", "fd00::1", true, true)});
    CHECK(names_of(group_ports({v6, v4})) == PortNames{"80/tcp"});
    CHECK(group_ports({v6, v4})[0].halves[0].node_port.address.is_v4());

    const auto deaf = port("::", 80, {pod_report("a", "fd00::1", false, false)});
    CHECK(names_of(group_ports({v4, deaf})) == PortNames{"0.0.0.0:80/tcp", "[::]:80/tcp"});
    const auto others = port("::", 80, {pod_report("b", "fd00::1", true, true)});
    CHECK(group_ports({v4, others}).size() == 2);
    const auto more = port("::", 80, {pod_report("b", "fd00::2", true, true), pod_report("a", "fd00::1", true, true)});
    CHECK(group_ports({v4, more}).size() == 2);
    auto spreading = v6;
    spreading.sharing.share = Share::spread;
    CHECK(group_ports({v4, spreading}).size() == 2);
    auto waiting = v6;
    waiting.waits_for = 5s;
    CHECK(group_ports({v4, waiting}).size() == 2);
}

TEST_CASE("ports of single addresses stay apart, and all are sorted by number", "[cli]")
{
    const std::vector<PodReport> pods{pod_report("a", "10.0.0.1", true, true)};
    CHECK(
        names_of(group_ports({port("192.0.2.1", 443, pods), port("0.0.0.0", 443, pods), port("0.0.0.0", 80, pods)})) ==
        PortNames{"0.0.0.0:80/tcp", "0.0.0.0:443/tcp", "192.0.2.1:443/tcp"});
}

TEST_CASE("the status of a node, in a pipe", "[cli]")
{
    NodeReport report;
    report.node_ports = {
        port("0.0.0.0", 80,
             {pod_report("apisix-2", "10.0.0.2", true, true), pod_report("apisix-1", "10.0.0.1", true, false)}),
        port("::", 80,
             {pod_report("apisix-2", "fd00::2", true, true), pod_report("apisix-1", "fd00::1", true, false)})};
    report.devices = {"eth0", "eth1"};
    report.answered = {.own = {*Address::parse("192.168.1.10")},
                       .configured = {*Prefix::parse("192.0.2.0/28")},
                       .excluded = {*Prefix::parse("192.168.1.50")}};
    report.flows.established = 7;
    report.drops = {{"clash", 2}, {"rewrite_failed", 0}};
    report.node_ports[0].traffic.handovers = 3;
    CHECK(render_status(report, {}) ==
          "NODE PORT  POD              BACKEND                         LISTENS  TAKES NEW  WHY                    "
          "FLOWS  NEW/S        IN       OUT  TOTAL  SHARE\n"
          "80/tcp     apisix/apisix-2  10.0.0.2:9080 [fd00::2]:9080  3 min 5 s  yes        youngest that listens  "
          "    4     20  2.0 kB/s  4.0 kB/s     80  newest\n"
          "           apisix/apisix-1  10.0.0.1:9080 [fd00::1]:9080  3 min 5 s  no         a younger pod listens  "
          "    4\n"
          "\n"
          "devices    eth0, eth1\n"
          "addresses  192.0.2.0/28, 192.168.1.10; not 192.168.1.50\n"
          "flows      7 established, 0 new\n"
          "handovers  3\n"
          "held       none\n"
          "dropped    2 packets (clash)\n");
}

TEST_CASE("a port without pods waits, and an empty node says what to do", "[cli]")
{
    NodeReport report;
    report.node_ports = {port("0.0.0.0", 80, {})};
    report.node_ports[0].waits_for = 4500ms;
    CHECK(render_status(report, {}).find("waits for a pod, 5 s more") != std::string::npos);

    const std::string empty_node = render_status({}, {});
    CHECK(empty_node.starts_with("No pod holds a port of this node.\n"));
    CHECK(empty_node.find("sallyport.dev/expose") != std::string::npos);
}

TEST_CASE("remaps have a table of their own", "[cli]")
{
    NodeReport report;
    const NodePort pod_port{*Address::parse("10.0.0.1"), HostPort{80}, Protocol::tcp, Scope::pod};
    report.remaps = {{pod_port, pod_report("gateway", "10.0.0.1", false, false), {}}};
    const std::string text = render_status(report, {});
    CHECK(text.find("10.0.0.1:80/tcp  apisix/gateway  :9080          no      2") != std::string::npos);
}
