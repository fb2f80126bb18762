// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Programs on a pod's own device, inside its namespace: they come with a binding and go with it.
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

const std::map<std::string, std::string> a_remap{{"sallyport.dev/remap", "80:9080"}};

}  // namespace

TEST_CASE("a pod's programs are first on its device, and gone after DEL", "[pod_hooks]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080", .annotations = a_remap});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    const bool last = GENERATE(true, false);
    Pod bystander(node, {.name = "bystander", .expose = "8000:9080"});
    if (!last)
        require_ok(bystander.add());
    const Intruder other(gateway.netns, "eth0", true, "observer");
    require_ok(gateway.add());

    CHECK(chain_of(gateway.netns, "eth0", true) == Names{"pod_ingress", "observer"});
    CHECK(chain_of(gateway.netns, "eth0", false) == Names{"pod_egress"});
    node.cni_version = "1.0.0";
    CHECK(gateway.check().ok());
    for (const std::string& address : {node_v4, node_v6, gateway.v4, gateway.v6}) {
        CAPTURE(address);
        CHECK(ask_tcp(node.client, {address, 80}).starts_with("gateway "));
    }

    node.cni_version = "0.3.1";
    require_ok(gateway.del());
    CHECK(chain_of(gateway.netns, "eth0", true) == Names{"observer"});
    CHECK(chain_of(gateway.netns, "eth0", false) == Names{});
    CHECK(pod_pins_below(node.bpffs()) == Names{});
    if (last)
        CHECK(node.footprint() == nothing);
}

TEST_CASE("a second ADD of the same pod, its GC and its vanishing leave no hook of the old binding", "[pod_hooks]")
{
    Node node;
    node.cni_version = "1.1.0";
    auto gateway = std::make_unique<Pod>(node, PodSpec{.expose = "80:9080", .annotations = a_remap});
    require_ok(gateway->add());
    const Names first = pod_pins_below(node.bpffs());
    REQUIRE(first.size() == 2);
    Pod next(node, {.name = "next", .expose = "8000:9080"});
    SECTION("ADD again")
    {
        require_ok(gateway->add());
        CHECK(pod_pins_below(node.bpffs()).size() == 2);
        CHECK(pod_pins_below(node.bpffs()) != first);
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
    CHECK(pod_pins_below(node.bpffs()) == Names{});
}

TEST_CASE("where a pod's programs are gone or behind others, CHECK tells it", "[pod_hooks]")
{
    Node node;
    node.cni_version = "1.0.0";
    Pod gateway(node, {.annotations = a_remap});
    require_ok(gateway.add());
    require_ok(gateway.check());
    {
        const Intruder intruder(gateway.netns, "eth0", true);
        CHECK(gateway.check().message().find("(program ") != std::string::npos);
        CHECK(gateway.check().message().find("intruder") != std::string::npos);
        require_ok(gateway.add());
        CHECK(chain_of(gateway.netns, "eth0", true) == Names{"pod_ingress", "intruder"});
        require_ok(gateway.check());
    }
    require_ok(gateway.check());
    std::filesystem::remove(node.bpffs() / "sallyport/pod_links" / pod_pins_below(node.bpffs()).front());
    CHECK(gateway.check().message().find("our program at") != std::string::npos);
}

TEST_CASE("another build's programs are replaced in place, on the node's devices and the pods'", "[pod_hooks]")
{
    Node node;
    node.cni_version = "1.0.0";
    Pod gateway(node, {.expose = "80:9080", .annotations = a_remap});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    Connection through_node(node.client, {node_v4, 80});
    Connection through_pod(node.client, {gateway.v4, 80});
    for (Connection* const open : {&through_node, &through_pod}) {
        open->send("echo\n");
        REQUIRE(open->read_line() == "ready");
    }

    const auto before_node = programs_in(node.host);
    const auto before_pod = programs_in(gateway.netns);
    const auto pins = pod_pins_below(node.bpffs());
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
    CHECK(pod_pins_below(node.bpffs()) == pins);
    require_ok(gateway.check());
    for (Connection* const open : {&through_node, &through_pod}) {
        open->send("still open\n");
        CHECK(open->read_line() == "still open");
    }
}

TEST_CASE("a pod's device without Ethernet header gets the programs for it; one that isn't there is an error",
          "[pod_hooks]")
{
    Node node;
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        SKIP("no /dev/net/tun for a device without Ethernet header");
    Pod gateway(node, {.annotations = a_remap});
    gateway.netns.ip("tuntap add dev tun0 mode tun\n");
    const auto call = [&](const std::string& command, const std::string& device) {
        PluginCall of_device = gateway.call(command);
        of_device.ifname = device;
        Json config = Json::parse(of_device.stdin_text);
        if (command == "ADD")
            config["prevResult"]["interfaces"][1]["name"] = device;
        of_device.stdin_text = config.dump();
        return call_plugin(sallyport_binary(), of_device, node.host);
    };
    const Answer missing = call("ADD", "net7");
    CHECK(missing.code() == 103);
    CHECK(missing.message().find("net7") != std::string::npos);
    CHECK(node.footprint() == nothing);

    require_ok(call("ADD", "tun0"));
    CHECK(chain_of(gateway.netns, "tun0", true) == Names{"pod_ingress"});
    const Names pins = pod_pins_below(node.bpffs());
    REQUIRE(pins.size() == 2);
    CHECK(pins.front().starts_with("bare_"));
    require_ok(call("DEL", "tun0"));
    CHECK(chain_of(gateway.netns, "tun0", true) == Names{});
}
