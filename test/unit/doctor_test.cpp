// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the doctor makes of facts. What the facts of a real node are is shown by the node tests.
#include "sallyport/doctor.hpp"

#include "sallyport/abi.h"
#include "sallyport/cli/doctor_view.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

/// The level of one check; "-" where it wasn't reported.
std::string level_of(const std::vector<Finding>& findings, const std::string& check)
{
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.check == check; });
    return found == findings.end() ? "-" : std::string(name(found->level));
}

std::string advice_of(const std::vector<Finding>& findings, const std::string& check)
{
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.check == check; });
    return found == findings.end() ? "-" : found->advice;
}

const std::string entry =
    R"({"type":"sallyport","capabilities":{"io.kubernetes.cri.pod-annotations":true},"gateways":{"namespaces":["apisix"]}})";

std::string list_with(const std::string& plugins, const std::string& version = "0.3.1")
{
    return R"({"cniVersion":")" + version + R"(","name":"cilium","plugins":[)" + plugins + "]}";
}

const std::string cilium_cni = R"({"type":"cilium-cni"})";

NetworkFile list_file(const std::string& text)
{
    return read_network_file("/etc/cni/net.d/05-cilium.conflist", text, false);
}

ChainFacts healthy_chain()
{
    ChainFacts chain;
    chain.directory = "/etc/cni/net.d";
    chain.active = list_file(list_with(cilium_cni + "," + entry));
    return chain;
}

HostFacts healthy_host()
{
    HostFacts host;
    host.kernel = "6.12.0";
    host.cgroup = "/sys/fs/cgroup";
    host.cgroup_children = 5;
    host.runtime_sockets = {"/run/containerd/containerd.sock"};
    return host;
}

NodePortReport port(std::uint16_t number, bool listening = true, const std::string& address = "0.0.0.0")
{
    NodePortReport report;
    report.node_port = {*Address::parse(address), HostPort{number}, Protocol::tcp, Scope::node};
    PodReport pod;
    pod.backend.address = *Address::parse(address == "::" ? "fd00::1" : "10.0.0.1");
    pod.candidate.listening = listening;
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

TEST_CASE("a list is read as a runtime reads it", "[doctor]")
{
    const NetworkFile file = list_file(list_with(cilium_cni + "," + entry));
    CHECK(file.problem.empty());
    CHECK(file.network == "cilium");
    CHECK(file.cni_version == "0.3.1");
    CHECK(file.types == std::vector<std::string>{"cilium-cni", "sallyport"});
    REQUIRE(file.entries.size() == 1);
    CHECK(parse_entry(file.entries[0]).gateways.namespaces == std::vector<std::string>{"apisix"});

    CHECK_FALSE(list_file("{").problem.empty());
    CHECK_FALSE(list_file(R"({"type":"bridge"})").problem.empty());
    CHECK_FALSE(list_file(R"({"plugins":[]})").problem.empty());
    CHECK_FALSE(list_file(R"({"plugins":{"type":"sallyport"}})").problem.empty());
    CHECK_FALSE(list_file(R"({"plugins":["sallyport"]})").problem.empty());
}

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

TEST_CASE("a healthy chain", "[doctor]")
{
    for (const Finding& finding : check_chain(healthy_chain())) {
        CAPTURE(finding.what);
        CHECK(finding.level == Level::fine);
    }
}

TEST_CASE("what is wrong with a chain", "[doctor]")
{
    ChainFacts chain = healthy_chain();
    const auto level = [&](const std::string& check) { return level_of(check_chain(chain), check); };
    const auto use = [&](const std::string& text) { chain.active = list_file(text); };
    SECTION("no network at all")
    {
        chain.active.reset();
        CHECK(level("active") == "failure");
    }
    SECTION("a broken first file")
    {
        use("{");
        CHECK(level("active") == "failure");
        CHECK(level("present") == "-");
    }
    SECTION("not in it")
    {
        use(list_with(cilium_cni));
        CHECK(level("present") == "failure");
        CHECK(advice_of(check_chain(chain), "present").find("sallyport install") != std::string::npos);
        chain.shadowed = {list_file(list_with(cilium_cni + "," + entry))};
        CHECK(check_chain(chain).back().what.find("stands only in") != std::string::npos);
        chain.moved = {"/etc/cni/net.d/10-x.conflist.cilium_bak"};
        CHECK(advice_of(check_chain(chain), "present").find("cni.exclusive=false") != std::string::npos);
    }
    SECTION("moved away, but there all the same")
    {
        chain.moved = {"/etc/cni/net.d/10-x.conflist.cilium_bak"};
        CHECK(level("exclusive") == "warning");
    }
    SECTION("before the primary")
    {
        use(list_with(entry + "," + cilium_cni));
        CHECK(level("order") == "failure");
    }
    SECTION("twice")
    {
        use(list_with(cilium_cni + "," + entry + "," + entry));
        CHECK(level("order") == "failure");
    }
    SECTION("no annotations")
    {
        use(list_with(cilium_cni + R"(,{"type":"sallyport"})"));
        CHECK(level("annotations") == "failure");
    }
    SECTION("a version that we don't speak")
    {
        use(list_with(cilium_cni + "," + entry, "2.0.0"));
        CHECK(level("version") == "failure");
    }
}

TEST_CASE("drop-ins", "[doctor]")
{
    ChainFacts chain = healthy_chain();
    chain.drop_ins = {read_network_file("/etc/cni/net.d/cilium/10-sallyport.conf", entry, true)};
    const auto level = [&](const std::string& check) { return level_of(check_chain(chain), check); };
    CHECK(level("drop-in") == "failure");  // beside the one in the list

    chain.active = list_file(list_with(cilium_cni));
    CHECK(level("drop-in") == "note");
    CHECK(level("present") == "-");
    chain.active->ignores_drop_ins = true;
    CHECK(level("drop-in") == "failure");
    chain.drop_ins = {read_network_file("/etc/cni/net.d/cilium/10-other.conf", "{", true)};
    CHECK(level("drop-in") == "failure");
    CHECK(level("present") == "failure");
}

TEST_CASE("binary and configuration", "[doctor]")
{
    BinaryFacts binary{.file = "/opt/cni/bin/sallyport"};
    CHECK(level_of(check_binary(binary), "binary") == "ok");
    binary.same_as_this = false;
    CHECK(level_of(check_binary(binary), "binary") == "warning");
    for (bool BinaryFacts::*fact : {&BinaryFacts::exists, &BinaryFacts::executable}) {
        BinaryFacts broken{.file = "/opt/cni/bin/sallyport"};
        broken.*fact = false;
        CHECK(level_of(check_binary(broken), "binary") == "failure");
    }
    binary.noexec = true;
    CHECK(level_of(check_binary(binary), "binary") == "failure");

    ConfigFacts config{.source = "x", .problem = "", .config = parse_entry(entry)};
    CHECK(level_of(check_config(config), "gateways") == "ok");
    config.config.gateways.namespaces.clear();
    CHECK(level_of(check_config(config), "gateways") == "warning");
    config.problem = "/devices is 5";
    CHECK(level_of(check_config(config), "config") == "failure");
    CHECK(level_of(check_config({}), "config") == "note");
}

TEST_CASE("the state and who made it", "[doctor]")
{
    StateFacts state;
    CHECK(level_of(check_state(state, {}), "state") == "ok");
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
    facts.unanswered = {*Address::parse("fe80::1")};
    facts.stale = {*Prefix::parse("fe80::2")};
    CHECK(level("addresses") == "ok");
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
    CHECK(level("high-port", {port(32768)}, {}) == "note");
    CHECK(level("icmpv6", {port(80)}, with_cilium()) == "-");
    CHECK(level("icmpv6", {port(80, true, "::")}, with_cilium()) == "note");
    CHECK(level("icmpv6", {port(80, true, "::")}, {}) == "-");

    NetworkFacts network = with_cilium();
    network.cilium_frontends = {port(80, true, "192.168.1.10").node_port, port(443, true, "::").node_port};
    CHECK(level("cilium-service", {port(80)}, network) == "warning");
    CHECK(level("cilium-service", {port(443)}, network) == "-");  // the other family
    CHECK(level("cilium-service", {port(80, true, "192.168.1.11")}, network) == "-");
    NodePortReport udp = port(80);
    udp.node_port.protocol = Protocol::udp;
    CHECK(level("cilium-service", {udp}, network) == "-");

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
    network.devices = {{.ifindex = 2, .name = "eth0"}};
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
