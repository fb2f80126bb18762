// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `fastPath`: packets go straight between the outside device and the pod, past the host's stack. That they do shows on
// a host that doesn't forward: whatever takes its stack is lost there.
#include "support/chain.hpp"
#include "support/cilium.hpp"
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <memory>
#include <optional>

using namespace sallyport::test;

namespace {

using Names = std::vector<std::string>;

const Names uplink{"pod_uplink"};

std::string host_end(const Pod& pod)
{
    return pod.primary_result.at("interfaces").at(0).at("name");
}

void set_forwarding(const Node& node, bool on)
{
    node.host.set_sysctl("net/ipv4/ip_forward", on ? "1" : "0");
    node.host.set_sysctl("net/ipv6/conf/all/forwarding", on ? "1" : "0");
}

/// A gateway that listens on 9080, TCP and UDP; added with or without the fast path.
struct PathGateway
{
    PathGateway(Node& node, bool fast, PodSpec spec = {.expose = "80:9080, 443:9080/udp"}) : pod(node, std::move(spec))
    {
        node.plugin["fastPath"] = fast;
        require_ok(pod.add());
        tcp.emplace(pod.netns, pod.spec().name, Target{"::", 9080});
        udp.emplace(pod.netns, pod.spec().name, Target{"::", 9080});
    }

    Pod pod;
    std::optional<TcpServer> tcp;
    std::optional<UdpServer> udp;
};

void check_refused(const Node& node, Pod& pod, int code, const std::string& part)
{
    const Names before = node.footprint();
    const Answer answer = pod.add();
    CHECK(answer.code() == code);
    CHECK(answer.message().find("fastPath") != std::string::npos);
    CHECK(answer.message().find(part) != std::string::npos);
    CHECK(node.footprint() == before);
}

}  // namespace

TEST_CASE("on the fast path, packets don't take the host's stack, in neither direction", "[fast_path]")
{
    Node node;
    const bool offload = GENERATE(true, false);
    CAPTURE(offload);
    node.set_offload(offload);
    PathGateway gateway(node, true);
    CHECK(chain_of(node.host, host_end(gateway.pod), true) == uplink);
    set_forwarding(node, false);
    check_serves(node);
    for (const std::string& address : {node_v4, node_v6})
        CHECK(transfer_both_ways(node.client, {address, 80}, 20'000'000) == "");
    for (const std::size_t size : {1U, 1001U, 1452U})
        CHECK(ask_udp(node.client, {node_v6, 443}, {}, pattern(size)) ==
              "gateway " + client_v6 + ' ' + std::to_string(size));

    // The host's stack is closed indeed:
    CHECK(ask_tcp(node.client, {gateway.pod.v4, 9080}, {.limit = impatience}) == "silence");

    require_ok(gateway.pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("without the fast path a pod is served by way of the host's stack, beside one that has it", "[fast_path]")
{
    Node node;
    PathGateway slow(node, false, {.name = "slow", .expose = "8080:9080"});
    const PathGateway fast(node, true);
    CHECK(chain_of(node.host, host_end(slow.pod), true) == Names{});
    CHECK(ask_tcp(node.client, {node_v4, 8080}) == "slow " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 8080}) == "slow " + client_v6);
    check_serves(node);

    set_forwarding(node, false);
    CHECK(ask_tcp(node.client, {node_v4, 8080}, {.limit = impatience}) != "slow " + client_v4);
    check_serves(node);
}

TEST_CASE("direct connections, fragments and errors still take the host's stack", "[fast_path]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    PathGateway gateway(node, true);
    CHECK(ask_tcp(node.client, {gateway.pod.v4, 9080}) == "gateway " + client_v4);
    CHECK(ask_udp(node.client, {gateway.pod.v6, 9080}) == "gateway " + client_v6 + " 3");
    CHECK(ask_udp(node.client, {node_v4, 443}, {}, pattern(4000)) == "gateway " + client_v4 + " 4000");
    CHECK(ask_udp(node.client, {node_v6, 443}, {}, pattern(4000)) == "gateway " + client_v6 + " 4000");

    // One client port to the node port and to the pod itself, at once
    const DialOptions from_one_port{.source = Target{client_v4, 50000}};
    Connection through_node(node.client, {node_v4, 80}, from_one_port);
    Connection direct(node.client, {gateway.pod.v4, 9080}, from_one_port);
    for (Connection* const each : {&through_node, &direct}) {
        each->send("echo\n");
        CHECK(each->read_line() == "ready");
    }

    gateway.udp.reset();
    CHECK(ask_udp(node.client, {node_v4, 443}) == "refused");
    CHECK(ask_udp(node.client, {gateway.pod.v4, 9080}) == "refused");
}

TEST_CASE("pods on the fast path share a node port and take over from each other", "[fast_path]")
{
    Node node;
    PathGateway old(node, true, {.name = "old", .expose = "80:9080, 443:9080/udp"});
    set_forwarding(node, false);
    Connection kept(node.client, {node_v6, 80});
    kept.send("echo\n");
    REQUIRE(kept.read_line() == "ready");

    PathGateway young(node, true, {.name = "young", .expose = "80:9080, 443:9080/udp"});
    check_serves(node, "young");
    kept.send("still with the old one\n");
    CHECK(kept.read_line() == "still with the old one");

    young.tcp.reset();
    young.udp.reset();
    check_serves(node, "old");
    young.tcp.emplace(young.pod.netns, "young", Target{"::", 9080});
    young.udp.emplace(young.pod.netns, "young", Target{"::", 9080});
    require_ok(old.pod.del());
    CHECK(chain_of(node.host, host_end(old.pod), true) == Names{});
    check_serves(node, "young");
}

TEST_CASE("a remap inside the pod and the fast path to it go together", "[fast_path]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    PathGateway gateway(node, true,
                        {.expose = "80:8080, 443:9080/udp", .annotations = {{"sallyport.dev/remap", "8080:9080"}}});
    CHECK(ask_tcp(node.client, {gateway.pod.v4, 8080}) == "gateway " + client_v4);
    set_forwarding(node, false);
    check_serves(node);
    CHECK(pod_pins_below(node.bpffs()).size() == 3);
    require_ok(gateway.pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a pod that has nothing at node ports gets no fast path, and isn't refused one", "[fast_path]")
{
    Node node;
    node.plugin["fastPath"] = true;
    Pod pod(node, {.annotations = {{"sallyport.dev/remap", "80:9080"}}});
    node.host.ip("link set eth0 mtu 1280\n");  // too small for it
    require_ok(pod.add());
    CHECK(chain_of(node.host, host_end(pod), true) == Names{});
}

TEST_CASE("the fast path's program goes with the binding", "[fast_path]")
{
    Node node;
    node.cni_version = "1.1.0";
    auto gateway = std::make_unique<PathGateway>(node, true);
    const std::string device = host_end(gateway->pod);
    const Names first = pod_pins_below(node.bpffs());
    REQUIRE(first.size() == 1);
    require_ok(gateway->pod.check());
    Pod next(node, {.name = "next", .expose = "8000:9080"});
    SECTION("a second ADD of the same pod")
    {
        require_ok(gateway->pod.add());
        CHECK(pod_pins_below(node.bpffs()).size() == 1);
        CHECK(pod_pins_below(node.bpffs()) != first);
        CHECK(chain_of(node.host, device, true) == uplink);
        check_serves(node);
        require_ok(gateway->pod.check());
    }
    SECTION("a second ADD, behind somebody who has come first")
    {
        const Intruder other(node.host, device, true, "observer");
        CHECK(gateway->pod.check().message().find("the first place at ingress of " + device) != std::string::npos);
        require_ok(gateway->pod.add());
        CHECK(chain_of(node.host, device, true) == Names{"pod_uplink", "observer"});
    }
    SECTION("a second ADD, without the fast path")
    {
        node.plugin["fastPath"] = false;
        require_ok(gateway->pod.add());
        CHECK(pod_pins_below(node.bpffs()) == Names{});
        CHECK(chain_of(node.host, device, true) == Names{});
        check_serves(node);
    }
    SECTION("GC")
    {
        node.plugin["fastPath"] = false;
        require_ok(next.add());
        require_ok(node.call(
            "GC", {{"cni.dev/valid-attachments", {{{"containerID", next.container_id}, {"ifname", "eth0"}}}}}));
        CHECK(pod_pins_below(node.bpffs()) == Names{});
        CHECK(chain_of(node.host, device, true) == Names{});
    }
    SECTION("it vanishes")
    {
        gateway.reset();
        node.plugin["fastPath"] = false;
        require_ok(next.add());
        CHECK(pod_pins_below(node.bpffs()) == Names{});
    }
    SECTION("its program is lost")
    {
        std::filesystem::remove(node.bpffs() / "sallyport/pod_links" / first.front());
        CHECK(gateway->pod.check().message().find("our program at ingress of " + device) != std::string::npos);
        check_serves(node);  // by way of the host's stack
    }
}

TEST_CASE("the fast path's program is replaced in place: by another build's, and where others came before us at eth0",
          "[fast_path]")
{
    Node node;
    node.cni_version = "1.0.0";
    const PathGateway gateway(node, true);
    set_forwarding(node, false);
    Connection open(node.client, {node_v4, 80});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");
    const Names before = programs_in(node.host);
    const Names pins = pod_pins_below(node.bpffs());
    const bool other_build = GENERATE(true, false);
    CAPTURE(other_build);
    std::optional<Intruder> observer;
    if (other_build)
        pretend_other_build(node.bpffs());
    else
        observer.emplace(node.host, "eth0", true, "observer");
    node.plugin["fastPath"] = false;
    Pod next(node, {.name = "next", .expose = "8000:9080"});
    require_ok(next.add());

    CHECK(pod_pins_below(node.bpffs()) == pins);
    const Names after = programs_in(node.host);
    for (const std::string& program : before)
        CHECK(std::find(after.begin(), after.end(), program) == after.end());
    node.plugin["fastPath"] = true;
    require_ok(gateway.pod.check());
    open.send("still open\n");
    CHECK(open.read_line() == "still open");
    check_serves(node);
}

TEST_CASE("local processes reach a pod that has the fast path", "[fast_path]")
{
    LocalNode node;
    PathGateway gateway(node, true);
    const Stay stay(node.cgroup, processes);
    for (const std::string& address : {std::string("127.0.0.1"), node_v4, node_v6}) {
        CAPTURE(address);
        CHECK(name_in(ask_tcp(node.host, {address, 80})) == "gateway");
        CHECK(name_in(ask_udp(node.host, {address, 443})) == "gateway");
    }
    CHECK(name_in(ask_tcp(gateway.pod.netns, {node_v4, 80})) == "gateway");
}

TEST_CASE("where Cilium's programs run, the fast path is refused, and nothing is left", "[fast_path]")
{
    Node node;
    const Cilium::Mode mode = GENERATE(Cilium::Mode::tcx, Cilium::Mode::legacy, Cilium::Mode::late);
    node.plugin["fastPath"] = true;
    Pod pod(node, {.expose = "80:9080"});
    SECTION("on the outside device")
    {
        const Cilium cilium(node, mode);
        check_refused(node, pod, 7, "at eth0");
    }
    SECTION("on the pod's device alone")
    {
        Cilium cilium(node, mode, {});
        cilium.connect(pod, {{9080, IPPROTO_TCP}});
        check_refused(node, pod, 7, "at " + host_end(pod));
        node.plugin["fastPath"] = false;
        require_ok(pod.add());
    }
    SECTION("later: CHECK tells it")
    {
        node.cni_version = "1.0.0";
        Pod early(node, {.expose = "80:9080"});
        require_ok(early.add());
        const Cilium cilium(node, mode);
        CHECK(early.check().code() == 7);
    }
}

TEST_CASE("where a pod's packets could be too large for an outside device, the fast path is refused", "[fast_path]")
{
    Node node;
    node.plugin["fastPath"] = true;
    node.host.ip("link set eth0 mtu 1400\n");
    Pod pod(node, {.expose = "80:9080"});
    check_refused(node, pod, 103, "eth0 of the node only 1400");
    pod.netns.ip("link set eth0 mtu 1400\n");
    require_ok(pod.add());
}

TEST_CASE("a pod whose device has no other end on the node is refused the fast path", "[fast_path]")
{
    Node node;
    node.plugin["fastPath"] = true;
    const Namespace elsewhere("elsewhere-of-" + node.host.name());
    Pod pod(node, {.expose = "80:9080"});
    node.host.ip("link set " + host_end(pod) + " netns " + elsewhere.name() + "\n");
    check_refused(node, pod, 103, "veth or netkit");
}
