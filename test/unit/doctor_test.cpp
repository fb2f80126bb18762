// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the doctor makes of facts. What the facts of a real node are is shown by the node tests.
#include "sallyport/doctor.hpp"

#include "sallyport/abi.h"
#include "sallyport/cli/doctor_view.hpp"
#include "support/findings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

HostFacts healthy_host()
{
    HostFacts host;
    host.kernel = "6.12.0";
    host.cgroup = "/sys/fs/cgroup";
    host.cgroup_children = 5;
    return host;
}

NodePortReport port(std::uint16_t number, bool listening = true, const std::string& address = "0.0.0.0")
{
    NodePortReport report;
    report.node_port = {*Address::parse(address), HostPort{number}, Protocol::tcp, Scope::node};
    PodReport pod;
    pod.backend.address = *Address::parse(address == "::" ? "fd00::1" : "10.0.0.1");
    if (listening)
        pod.candidate.seen.listening_since = Instant(std::chrono::seconds(1));
    report.pods = {pod};
    return report;
}

NodeReport report_of(std::vector<NodePortReport> ports)
{
    NodeReport report;
    report.node_ports = std::move(ports);
    return report;
}

NetworkFacts with_cilium()
{
    NetworkFacts network;
    network.cilium = true;
    return network;
}

}  // namespace

TEST_CASE("a healthy host", "[doctor]")
{
    for (const Finding& finding : check_host(healthy_host(), {}, false)) {
        CAPTURE(finding.what);
        CHECK(finding.level == Level::fine);
    }
}

TEST_CASE("what is wrong with a host", "[doctor]")
{
    HostFacts host = healthy_host();
    const auto level = [&](const std::string& check, bool cilium = false) {
        return level_of(check_host(host, {}, cilium), check);
    };
    SECTION("kernel")
    {
        for (const auto& [release, expected] :
             {std::pair("5.10.223", "ok"), {"4.19.0", "failure"}, {"5.4.0-x", "failure"}, {"7.2", "ok"}, {"?", "ok"}}) {
            host.kernel = release;
            CAPTURE(release);
            CHECK(level("kernel") == expected);
        }
        host.lacking = {"programs at cgroups"};
        CHECK(level("kernel") == "failure");
    }
    SECTION("user")
    {
        host.root = false;
        CHECK(level("root") == "failure");
        CHECK(level("kernel") == "note");
    }
    SECTION("mounts")
    {
        host.bpffs_mounted = false;
        host.cgroup_children = 0;
        CHECK(level("bpffs") == "failure");
        CHECK(level("cgroup") == "warning");
        host.cgroup.reset();
        CHECK(level("cgroup") == "warning");
    }
    SECTION("lock")
    {
        host.state_dir_problem = "held";
        CHECK(level("state-dir") == "failure");
    }
    SECTION("forwarding")
    {
        host.ipv6_forwarding = false;
        CHECK(level("forwarding") == "warning");
        CHECK(level("forwarding", true) == "note");
        host.ipv4_forwarding = false;
        CHECK(level("forwarding") == "failure");
        CHECK(advice_of(check_host(host, {}, false), "forwarding").find("net.ipv4.ip_forward=1") != std::string::npos);
        Config fast;
        fast.fast_path = true;
        CHECK(level_of(check_host(host, fast, false), "forwarding") == "ok");
    }
}

TEST_CASE("the agent, and what it says of itself", "[doctor]")
{
    AgentFacts agent;
    const auto level = [&] { return level_of(check_agent(agent), "agent"); };
    CHECK(level() == "note");  // installed by hand, perhaps
    agent.died = true;
    CHECK(level() == "warning");
    agent = {.runs = true, .listen = "", .problem = ""};
    CHECK(level() == "note");
    agent.listen = ":9465";
    CHECK(level() == "ok");
    agent.not_ready = "follow this node's pods in Kubernetes: no\n";
    CHECK(level() == "note");
    CHECK(check_agent(agent)[0].what.ends_with("in Kubernetes: no"));
    agent.ready = false;
    agent.not_ready = "CNI chain: one\nplugin: two\n";
    CHECK(level() == "warning");
    CHECK(check_agent(agent)[0].what.ends_with("CNI chain: one, plugin: two"));
    agent.alive = false;
    CHECK(level() == "failure");
    agent.problem = "connect: Connection refused";
    CHECK(level() == "warning");
    CHECK(check_agent(agent)[0].what.find(":9465: connect") != std::string::npos);
}

TEST_CASE("the state and who made it", "[doctor]")
{
    StateFacts state;
    CHECK(level_of(check_state(state, {}), "state") == "ok");
    state.elsewhere = {"eth0"};
    CHECK(level_of(check_state(state, {}), "state") == "failure");
    CHECK(advice_of(check_state(state, {}), "state").find("nsenter") != std::string::npos);
    state.elsewhere.clear();
    state.exists = true;
    CHECK(level_of(check_state(state, {}), "state") == "warning");
    state.complete = true;
    state.abi = SALLYPORT_ABI;
    CHECK(level_of(check_state(state, {}), "build") == "warning");
    state.of_this_build = true;
    CHECK(level_of(check_state(state, {}), "state") == "ok");
    state.abi = SALLYPORT_ABI + 1;
    CHECK(level_of(check_state(state, {}), "abi") == "failure");
}

TEST_CASE("datapath and node", "[doctor]")
{
    DatapathFacts facts;
    facts.report = report_of({port(80)});
    const auto level = [&](const std::string& check) { return level_of(check_datapath(facts), check); };
    CHECK(level("hooks") == "ok");
    CHECK(level("addresses") == "ok");
    CHECK(level("vanished") == "-");
    facts.missing_hooks = {"our program at ingress of eth0"};
    facts.vanished = {"apisix/apisix-1"};
    CHECK(level("hooks") == "failure");
    CHECK(level("vanished") == "warning");
    facts.stale = {*Prefix::parse("192.0.2.1")};
    CHECK(level("addresses") == "warning");
    facts.unanswered = {*Address::parse("192.0.2.2")};
    CHECK(level("addresses") == "failure");
}

TEST_CASE("the traps of node ports", "[doctor]")
{
    const auto level = [](const std::string& check, std::vector<NodePortReport> ports, const NetworkFacts& network) {
        return level_of(check_ports(report_of(std::move(ports)), network), check);
    };
    CHECK(level("listener", {port(80)}, {}) == "ok");
    CHECK(level("listener", {port(80, false)}, {}) == "warning");
    CHECK(level("node-port-range", {port(29999)}, {}) == "-");
    CHECK(level("node-port-range", {port(30000)}, {}) == "warning");
    CHECK(level("node-port-range", {port(32767)}, {}) == "warning");
    CHECK(level("high-port", {port(32767)}, with_cilium()) == "-");
    CHECK(level("high-port", {port(32768)}, with_cilium()) == "warning");
    NetworkFacts given;
    given.given_ports = {{20000, 20009}, {20011, 29000}};  // 20010 is reserved
    CHECK(level("high-port", {port(20009)}, given) == "note");
    CHECK(level("high-port", {port(20011)}, given) == "note");
    CHECK(level("high-port", {port(20010)}, given) == "-");
    CHECK(level("high-port", {port(40000)}, given) == "-");
    CHECK(level("icmpv6", {port(80)}, with_cilium()) == "-");
    CHECK(level("icmpv6", {port(80, true, "::")}, with_cilium()) == "note");
    CHECK(level("icmpv6", {port(80, true, "::")}, {}) == "-");

    NodePortReport waiting = port(80);
    waiting.pods.clear();
    waiting.waits_for = 5s;
    waiting.traffic.held = 2;
    CHECK(level("waiting", {waiting}, {}) == "note");
    CHECK(level("held", {waiting}, {}) == "note");
    CHECK(level("listener", {waiting}, {}) == "-");

    NodeReport report = report_of({port(80)});
    report.drops = {{"clash", 3}};
    CHECK(level_of(check_ports(report, {}), "drops") == "warning");
}

TEST_CASE("outside devices", "[doctor]")
{
    NetworkFacts network;
    network.devices.emplace_back().name = "eth0";
    CHECK(level_of(check_network(network), "devices") == "ok");
    network.xdp = {"eth0 (cil_xdp_entry)"};
    CHECK(level_of(check_network(network), "xdp") == "warning");
    network.problem = "none";
    CHECK(level_of(check_network(network), "devices") == "failure");
}

TEST_CASE("whatever isn't in order comes with something to do", "[doctor]")
{
    Facts facts;
    facts.host.root = facts.host.bpffs_mounted = facts.host.ipv4_forwarding = false;
    facts.host.state_dir_problem = facts.network.problem = facts.datapath_problem = "broken";
    facts.binary.exists = false;
    facts.datapath.emplace();
    facts.datapath->report = report_of({port(30080, false)});
    facts.datapath->missing_hooks = {"a hook"};
    for (const Finding& finding : examine(facts)) {
        CAPTURE(finding.what);
        CHECK_FALSE(finding.topic.empty());
        CHECK_FALSE(finding.check.empty());
        CHECK((finding.level < Level::warning || !finding.advice.empty()));
    }
    CHECK(count(examine(facts), Level::failure) >= 8);
}

TEST_CASE("findings on a screen and in a pipe", "[doctor]")
{
    const std::vector<Finding> findings{{"node", "kernel", Level::fine, "kernel 6.12", ""},
                                        {"node", "bpffs", Level::failure, "no BPF file system is mounted", "mount it"}};
    CHECK(render_findings(findings, {}) == "node\n"
                                           "  ok    kernel 6.12\n"
                                           "  FAIL  no BPF file system is mounted\n"
                                           "        -> mount it\n"
                                           "\n"
                                           "1 failure, 0 warnings, 1 in order\n");
    Screen screen;
    screen.unicode = true;
    screen.width = 22;
    CHECK(render_findings(findings, screen) == "node\n"
                                               "  ✔  kernel 6.12\n"
                                               "  ✘  no BPF file\n"
                                               "     system is mounted\n"
                                               "     → mount it\n"
                                               "\n"
                                               "1 failure, 0 warnings, 1 in order\n");
    CHECK(to_json(findings).find(R"("healthy": false)") != std::string::npos);
}
