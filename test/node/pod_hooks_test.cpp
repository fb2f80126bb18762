// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Programs on a pod's own device, inside its namespace: they come with a binding and go with it.
#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"

#include "support/chain.hpp"
#include "support/footprint.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <memory>
#include <unistd.h>

using namespace sallyport;
using namespace sallyport::test;

namespace {

using Names = std::vector<std::string>;

/// The node's datapath, as a command on the node would open it.
template <typename Work>
void with_datapath(const Node& node, const Work& work)
{
    node.host.run([&] {
        const Paths paths{node.bpffs(), node.directory() / "cgroup", node.state_dir()};
        Datapath datapath = Datapath::open(paths, {});
        work(datapath);
    });
}

AttachmentId id_of(const Pod& pod, const std::string& ifname = "eth0")
{
    return {pod.container_id, ifname};
}

void attach(const Node& node, const Pod& pod)
{
    with_datapath(node, [&](Datapath& datapath) { datapath.attach_pod(open_netns(pod.netns.path()), id_of(pod)); });
}

Names missing(const Node& node, const Pod& pod)
{
    Names missing;
    with_datapath(node, [&](Datapath& datapath) {
        missing = datapath.missing_pod_hooks(open_netns(pod.netns.path()), id_of(pod));
    });
    return missing;
}

Names pod_pins(const Node& node)
{
    Names names;
    for (const std::string& pin : pins_below(node.bpffs() / "sallyport/pod_links"))
        names.push_back(std::filesystem::path(pin).filename());
    return names;
}

}  // namespace

TEST_CASE("a pod's programs are first on its device, and gone after DEL", "[pod_hooks]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    const bool last = GENERATE(true, false);
    Pod bystander(node, {.name = "bystander", .expose = "8000:9080"});
    if (!last)
        require_ok(bystander.add());
    const Intruder other(gateway.netns, "eth0", true, "observer");
    attach(node, gateway);

    CHECK(chain_of(gateway.netns, "eth0", true) == Names{"pod_ingress", "observer"});
    CHECK(chain_of(gateway.netns, "eth0", false) == Names{"pod_egress"});
    CHECK(missing(node, gateway) == Names{});
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 80}) == "gateway " + client_v6);

    require_ok(gateway.del());
    CHECK(chain_of(gateway.netns, "eth0", true) == Names{"observer"});
    CHECK(chain_of(gateway.netns, "eth0", false) == Names{});
    CHECK(pod_pins(node) == Names{});
    if (last)
        CHECK(node.footprint() == nothing);
}

TEST_CASE("a second ADD of the same pod, its GC and its vanishing leave no hook of the old binding", "[pod_hooks]")
{
    Node node;
    node.cni_version = "1.1.0";
    auto gateway = std::make_unique<Pod>(node, PodSpec{.expose = "80:9080"});
    require_ok(gateway->add());
    attach(node, *gateway);
    Pod next(node, {.name = "next", .expose = "8000:9080"});
    SECTION("ADD again")
    {
        require_ok(gateway->add());
        CHECK(pod_pins(node) == Names{});
        attach(node, *gateway);
        CHECK(pod_pins(node).size() == 2);
        CHECK(chain_of(gateway->netns, "eth0", true) == Names{"pod_ingress"});
        require_ok(gateway->del());
    }
    SECTION("GC")
    {
        require_ok(next.add());
        require_ok(node.call(
            "GC", {{"cni.dev/valid-attachments", {{{"containerID", next.container_id}, {"ifname", "eth0"}}}}}));
        CHECK(chain_of(gateway->netns, "eth0", true) == Names{});
    }
    SECTION("it vanishes")
    {
        gateway.reset();
        require_ok(next.add());
    }
    CHECK(pod_pins(node) == Names{});
}

TEST_CASE("where a pod's programs are gone or behind others, that is told", "[pod_hooks]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    CHECK(missing(node, gateway).size() == 2);
    attach(node, gateway);
    REQUIRE(missing(node, gateway) == Names{});
    {
        const Intruder intruder(gateway.netns, "eth0", true);
        REQUIRE(missing(node, gateway).size() == 1);
        CHECK(missing(node, gateway).front().find("intruder") != std::string::npos);
    }
    CHECK(missing(node, gateway) == Names{});
    std::filesystem::remove(node.bpffs() / "sallyport/pod_links" / pod_pins(node).front());
    CHECK(missing(node, gateway).size() == 1);
}

TEST_CASE("another build's programs are replaced in place, on the node's devices and the pods'", "[pod_hooks]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    attach(node, gateway);
    Connection open(node.client, {node_v4, 80});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");

    const auto before_node = programs_in(node.host);
    const auto before_pod = programs_in(gateway.netns);
    const auto pins = pod_pins(node);
    pretend_other_build(node.bpffs());
    Pod next(node, {.name = "next", .expose = "8000:9080"});
    require_ok(next.add());

    const auto after_node = programs_in(node.host);
    const auto after_pod = programs_in(gateway.netns);
    REQUIRE(after_node.size() == before_node.size());
    REQUIRE(after_pod.size() == before_pod.size());
    for (const auto& [before, after] : {std::pair(before_node, after_node), std::pair(before_pod, after_pod)})
        for (const std::string& program : before)
            CHECK(std::find(after.begin(), after.end(), program) == after.end());
    CHECK(pod_pins(node) == pins);
    CHECK(missing(node, gateway) == Names{});
    open.send("still open\n");
    CHECK(open.read_line() == "still open");
}

TEST_CASE("a pod's device without Ethernet header gets the programs for it; one that isn't there is an error",
          "[pod_hooks]")
{
    Node node;
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        SKIP("no /dev/net/tun for a device without Ethernet header");
    Pod gateway(node, {.expose = "80:9080"});
    gateway.netns.ip("tuntap add dev tun0 mode tun\n");
    const auto call = [&](const std::string& command) {
        PluginCall of_tun = gateway.call(command);
        of_tun.ifname = "tun0";
        Json config = Json::parse(of_tun.stdin_text);
        if (command == "ADD")
            config["prevResult"]["interfaces"][1]["name"] = of_tun.ifname;
        of_tun.stdin_text = config.dump();
        return call_plugin(sallyport_binary(), of_tun, node.host);
    };
    require_ok(call("ADD"));
    with_datapath(node, [&](Datapath& datapath) {
        datapath.attach_pod(open_netns(gateway.netns.path()), id_of(gateway, "tun0"));
        CHECK_THROWS_AS(datapath.attach_pod(open_netns(gateway.netns.path()), id_of(gateway, "net7")), Error);
    });
    CHECK(chain_of(gateway.netns, "tun0", true) == Names{"pod_ingress"});
    const Names pins = pod_pins(node);
    REQUIRE(pins.size() == 2);
    CHECK(pins.front().starts_with("bare_"));
    require_ok(call("DEL"));
    CHECK(chain_of(gateway.netns, "tun0", true) == Names{});
}
