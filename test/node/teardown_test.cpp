// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// DEL, GC, and pods that go without either: nothing is left, and nothing else is touched.
#include "support/bystander.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <fstream>
#include <memory>

using namespace sallyport::test;

namespace {

Json valid(const std::vector<const Pod*>& pods)
{
    Json list = Json::array();
    for (const Pod* pod : pods)
        list.push_back({{"containerID", pod->container_id}, {"ifname", "eth0"}});
    return {{"cni.dev/valid-attachments", list}};
}

}  // namespace

TEST_CASE("the last DEL leaves nothing: no pin, no program, no filter", "[teardown]")
{
    Node node;
    node.cni_version = GENERATE("0.3.1", "1.1.0");
    Pod gateway(node, {.expose = "80:9080, 443:9443/udp"});
    require_ok(gateway.add());
    REQUIRE(node.footprint() != nothing);
    require_ok(gateway.del());
    CHECK(node.footprint() == nothing);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
}

TEST_CASE("DEL twice, and DEL without ADD, succeed", "[teardown]")
{
    Node node;
    node.cni_version = GENERATE("0.3.1", "1.1.0");
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.del());
    require_ok(gateway.add());
    require_ok(gateway.del());
    require_ok(gateway.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("one pod's DEL leaves the other's exposure and connections alone", "[teardown]")
{
    Node node;
    const Bystander bystander(node);
    Connection open(node.client, {node_v4, 8000});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    require_ok(gateway.del());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    bystander.check_serves();
    open.send("still open\n");
    CHECK(open.read_line() == "still open");
}

TEST_CASE("DEL works with whatever a runtime still has", "[teardown]")
{
    Node node;
    node.cni_version = GENERATE("0.3.1", "1.1.0");
    const Bystander bystander(node);
    Pod gateway(node, {.name = "going", .expose = "80:9080"});
    require_ok(gateway.add());
    PluginCall del = gateway.call("DEL");
    Json config = Json::parse(del.stdin_text);
    SECTION("no namespace path")
    {
        del.netns = "";
    }
    SECTION("the namespace is gone")
    {
        gateway.netns.remove();
    }
    SECTION("the path leads to something else")
    {
        gateway.netns.remove();
        std::ofstream(del.netns) << "no namespace";
    }
    SECTION("no annotations")
    {
        config.erase("runtimeConfig");
    }
    SECTION("no prevResult")
    {
        config.erase("prevResult");
    }
    SECTION("a prevResult of nonsense")
    {
        config["prevResult"] = {{"ips", 5}};
    }
    SECTION("no CNI_ARGS")
    {
        del.args = "";
    }
    SECTION("annotations that are wrong now")
    {
        config["runtimeConfig"]["io.kubernetes.cri.pod-annotations"] = {{"sallyport.dev/expose", "0:0"}};
    }
    SECTION("gateways that don't allow it any more")
    {
        config["gateways"] = {{"namespaces", Json::array()}};
    }
    SECTION("a key that is wrong now")
    {
        config["gateways"] = "nobody";
    }
    SECTION("the log can't be written")
    {
        config["logFile"] = "/nowhere/sallyport.log";
    }
    del.stdin_text = config.dump();

    require_ok(call_plugin(sallyport_binary(), del, node.host));
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    bystander.check_serves();
    CHECK(node.status().dump().find(gateway.spec().name) == std::string::npos);
}

TEST_CASE("DEL succeeds on a node where our state is gone, and the primary's DEL still runs", "[teardown]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080", .primary = Primary::ptp});
    require_ok(gateway.add());
    SECTION("bpffs unmounted")
    {
        node.unmount_bpffs();
    }
    SECTION("pins removed")
    {
        std::filesystem::remove_all(node.bpffs() / "sallyport");
    }
    SECTION("the state directory is a file")
    {
        std::filesystem::remove_all(node.state_dir());
        std::ofstream(node.state_dir()) << "a file";
    }
    require_ok(gateway.del());
    const std::string left = must_execute({.argv = {"ip", "-brief", "link"}, .netns = &node.host});
    CHECK(left.find("veth") == std::string::npos);
    node.unmount_bpffs();
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("GC removes what isn't listed, of its own network only", "[teardown]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod listed(node, {.name = "listed", .expose = "80:9080"});
    Pod forgotten(node, {.name = "forgotten", .expose = "443:9080"});
    TcpServer one(listed.netns, "listed", {"::", 9080});
    TcpServer two(forgotten.netns, "forgotten", {"::", 9080});
    require_ok(listed.add());
    require_ok(forgotten.add());
    node.network = "another";
    Pod elsewhere(node, {.name = "elsewhere", .expose = "8000:9080"});
    TcpServer three(elsewhere.netns, "elsewhere", {"::", 9080});
    require_ok(elsewhere.add());

    node.network = "pods";
    require_ok(node.call("GC", valid({&listed})));
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "listed " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 443}) == "refused");
    CHECK(ask_tcp(node.client, {node_v4, 8000}) == "elsewhere " + client_v4);

    require_ok(node.call("GC", valid({})));
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    CHECK(ask_tcp(node.client, {node_v4, 8000}) == "elsewhere " + client_v4);

    node.network = "another";
    require_ok(node.call("GC", valid({})));
    CHECK(node.footprint() == nothing);
    require_ok(node.call("GC", valid({})));  // on a node without anything of ours
}

TEST_CASE("GC without its list removes nothing", "[teardown]")
{
    Node node;
    node.cni_version = "1.1.0";
    const Bystander bystander(node);
    CHECK(node.call("GC").code() == 7);
    bystander.check_serves();
}

TEST_CASE("a pod that vanished without DEL is forgotten at the next gateway's ADD", "[teardown]")
{
    Node node;
    auto vanished =
        std::make_unique<Pod>(node, PodSpec{.name = "vanished", .kubernetes_namespace = "others", .expose = "80:9080"});
    require_ok(vanished->add());
    const bool path_reused = GENERATE(false, true);
    CAPTURE(path_reused);
    const std::filesystem::path path = vanished->netns.path();
    vanished.reset();
    std::unique_ptr<Namespace> reused;
    if (path_reused)
        reused = std::make_unique<Namespace>(path.filename());

    // Its port is free again, also for another namespace, and it isn't shown any more.
    Pod next(node, {.name = "next", .expose = "80:9080"});
    TcpServer server(next.netns, "next", {"::", 9080});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "next " + client_v4);
    CHECK(node.status().dump().find("vanished") == std::string::npos);
    require_ok(next.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a reused pod address inherits nothing", "[teardown]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080", .primary = Primary::ptp});
    require_ok(gateway.add());
    const std::string address = gateway.v4;
    {
        TcpServer server(gateway.netns, "gateway", {"::", 9080});
        REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    }
    const Bystander bystander(node);
    require_ok(gateway.del());

    Pod plain(node, {.name = "plain"});
    plain.netns.ip("addr add " + address + "/32 dev eth0\n");
    node.host.ip("route add " + address + "/32 via " + plain.v4 + "\n");
    TcpServer server(plain.netns, "plain", {"::", 9080});
    CHECK(ask_tcp(node.client, {address, 9080}) == "plain " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
}

TEST_CASE("a device that comes later is served at the next gateway's ADD, one that goes is no obstacle", "[teardown]")
{
    Node node;
    const Bystander bystander(node);
    node.host.ip("link add eth1 type veth peer name eth1 netns " + node.client.name() + "\n" +
                 "addr add 192.168.101.1/24 dev eth1\nlink set eth1 up\n");
    node.client.ip("addr add 192.168.101.2/24 dev eth1\nlink set eth1 up\n");
    node.plugin["devices"] = {"eth*"};
    Pod next(node, {.name = "next", .expose = "80:9080"});
    TcpServer server(next.netns, "next", {"::", 9080});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {"192.168.101.1", 80}) == "next 192.168.101.2");
    CHECK(ask_tcp(node.client, {"192.168.101.1", 8000}) == "bystander 192.168.101.2");

    node.host.ip("link del eth1\n");
    Pod another(node, {.name = "another", .expose = "443:9080"});
    require_ok(another.add());
    bystander.check_serves();
    require_ok(another.del());
    require_ok(next.del());
    bystander.check_serves();
}
