// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// CHECK: is everything there that ADD made?
#include "support/agent.hpp"
#include "support/bystander.hpp"
#include "support/footprint.hpp"
#include "support/node.hpp"
#include "support/other_build.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"
#include "support/traps.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>
#include <fstream>

using namespace sallyport::test;

namespace {

/// CHECK fails with a CNI error that has something to say.
void check_complains(const Answer& answer)
{
    INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.code() == 5);
    CHECK(answer.message().size() > 10);
}

}  // namespace

TEST_CASE("CHECK is content after ADD, of a gateway and of a plain pod", "[check]")
{
    Node node;
    node.cni_version = GENERATE("0.4.0", "1.0.0", "1.1.0");
    CAPTURE(node.cni_version);
    Pod gateway(node, {.expose = "80:9080, 443:9443/udp"});
    Pod plain(node, {.name = "plain"});
    require_ok(gateway.add());
    require_ok(plain.add());
    for (const Pod* pod : {&gateway, &plain}) {
        const std::vector<std::string> before = node.footprint();
        const Answer answer = pod->check();
        INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
        CHECK(answer.ok());
        CHECK(answer.out.empty());
        CHECK(node.footprint() == before);
    }
}

TEST_CASE("CHECK of a pod that was never added, or was removed, fails", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.expose = "80:9080"});
    Pod bystander(node, {.name = "bystander", .expose = "443:9080"});
    if (GENERATE(false, true))
        require_ok(bystander.add());
    gateway.result = gateway.primary_result;
    check_complains(gateway.check());
    require_ok(gateway.add());
    require_ok(gateway.check());
    require_ok(gateway.del());
    check_complains(gateway.check());
}

TEST_CASE("CHECK fails when a pinned link, program or map is gone, and the next ADD repairs it", "[check]")
{
    std::vector<std::string> pins;  // relative to the bpffs, and no directories
    {
        Node node;
        Pod gateway(node, {.expose = "80:9080"});
        require_ok(gateway.add());
        for (const std::string& pin : pins_below(node.bpffs())) {
            if (!std::filesystem::is_directory(pin))
                pins.push_back(std::filesystem::relative(pin, node.bpffs()));
        }
    }
    REQUIRE_FALSE(pins.empty());
    for (const std::string& pin : pins) {
        CAPTURE(pin);
        Node node;
        node.cni_version = "1.1.0";
        Pod gateway(node, {.expose = "80:9080"});
        TcpServer server(gateway.netns, "gateway", {"::", 9080});
        require_ok(gateway.add());
        std::filesystem::remove(node.bpffs() / pin);
        if (pin.find("/programs/") == std::string::npos)  // traffic flows without their pins
            check_complains(gateway.check());

        const Answer repaired = gateway.add();
        INFO("stdout: " << repaired.out << "\nstderr: " << repaired.err);
        CHECK(repaired.ok());
        CHECK(gateway.check().ok());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        require_ok(gateway.del());
        CHECK(node.settled_footprint() == nothing);
    }
}

TEST_CASE("where a table's pin was lost, the DEL of one pod doesn't take the others' ports", "[check]")
{
    for (const std::string pin : {"maps/meta", "maps/node_ports", "maps/addresses", "programs/ask_listener"}) {
        CAPTURE(pin);
        Node node;
        Pod stays(node, {.expose = "80:9080"});
        Pod goes(node, {.expose = "443:9443"});
        TcpServer server(stays.netns, "stays", {"::", 9080});
        require_ok(stays.add());
        require_ok(goes.add());
        std::filesystem::remove(node.bpffs() / "sallyport" / pin);

        require_ok(goes.del());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "stays " + client_v4);

        require_ok(goes.add());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "stays " + client_v4);
        require_ok(goes.del());
        require_ok(stays.del());
        CHECK(node.settled_footprint() == nothing);
    }
}

TEST_CASE("CHECK asks what is in force, not the list that it is called with", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    node.plugin["addresses"] = {"192.0.2.10/32"};
    Pod gateway(node, {.expose = "192.0.2.10:80:9080, 443:9443"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    SECTION("another device")
    {
        node.plugin["devices"] = {"eth7"};
    }
    SECTION("no configured address")
    {
        node.plugin["addresses"] = Json::array();
    }
    SECTION("no access by the node itself")
    {
        node.plugin["localAccess"] = false;
    }
    SECTION("another cgroup")
    {
        node.plugin["cgroup"] = "/nowhere/cgroup";
    }
    SECTION("nobody may expose anything")
    {
        node.plugin["gateways"] = {{"namespaces", Json::array()}, {"ports", Json::array()}};
    }
    SECTION("the fast path")
    {
        node.plugin["fastPath"] = true;
    }
    SECTION("a key of another version")
    {
        node.plugin["notYet"] = 1;
    }
    SECTION("what is wrong")
    {
        node.plugin["devices"] = 7;
        node.plugin["logLevel"] = "loud";
    }
    require_ok(gateway.check());
    CHECK(ask_tcp(node.client, {"192.0.2.10", 80}) == "gateway " + client_v4);
    std::filesystem::remove_all(node.bpffs() / "sallyport/links");
    std::filesystem::remove_all(node.bpffs() / "sallyport/filters");
    check_complains(gateway.check());
}

TEST_CASE("CHECK of a hostPort at 127.0.0.1 doesn't ask whether that is still served", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    node.plugin["capabilities"]["portMappings"] = true;
    Pod pod(node, {.port_mappings = {{{"hostPort", 8000}, {"containerPort", 9080}, {"hostIP", "127.0.0.1"}}}});
    require_ok(pod.add());
    node.plugin["localAccess"] = false;
    require_ok(pod.check());
}

TEST_CASE("CHECK with the list of its day, after a later ADD has brought other devices", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    node.host.ip("link add eth1 type veth peer name eth1 netns " + node.client.name() +
                 "\naddr add 192.168.101.1/24 dev eth1\nlink set eth1 up\n");
    node.client.ip("addr add 192.168.101.2/24 dev eth1\nlink set eth1 up\n");
    const Json of_its_day = node.plugin;
    Pod gateway(node, {.expose = "80:9080"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    node.plugin["devices"] = {"eth1"};
    Pod later(node, {.name = "later", .expose = "443:9080"});
    require_ok(later.add());
    CHECK(ask_tcp(node.client, {"192.168.101.1", 80}) == "gateway 192.168.101.2");

    node.plugin = of_its_day;
    require_ok(gateway.check());
    node.host.ip("link del eth1\n");  // nothing that a new sandbox would bring back
    require_ok(gateway.check());
}

TEST_CASE("CHECK after an upgrade: by whichever build, a pod that works passes", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.annotations = {{"sallyport.dev/expose", "80:9080"}, {"sallyport.dev/remap", "81:9080"}}});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    SECTION("another build's programs run by now")
    {
        const Pod other(node, {.name = "other", .expose = "443:9443"});
        require_ok(call_plugin(other_build(node), other.call("ADD"), node.host));
    }
    SECTION("another build's are pinned, and not yet at any device")
    {
        for (const std::string program : {"node_ingress", "node_egress", "pod_ingress", "pod_egress"}) {
            const auto pin = node.bpffs() / "sallyport/programs" / program;
            std::filesystem::remove(pin);
            std::filesystem::create_hard_link(node.bpffs() / "sallyport/programs/ask_listener", pin);
        }
    }
    SECTION("an older build had fewer programs")
    {
        std::filesystem::remove(node.bpffs() / "sallyport/programs/ask_listener");
    }
    SECTION("another version's tables")
    {
        pretend_another_abi(node.bpffs());
    }
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    require_ok(gateway.check());
}

TEST_CASE("DEL with an older build's programs removes all the same", "[check]")
{
    Node node;
    const Bystander bystander(node);
    Pod gateway(node, {.expose = "80:9080"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    std::filesystem::remove(node.bpffs() / "sallyport/programs/ask_listener");
    require_ok(gateway.del());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    bystander.check_serves();
}

TEST_CASE("CHECK after uninstall: a pod that gave its node ports up isn't broken, one that never had any is", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.expose = "80:9080"});
    Pod never(node, {.name = "never", .expose = "443:9080"});
    never.result = never.primary_result;
    require_ok(gateway.add());
    Invocation uninstall{.argv = {sallyport_binary(), "uninstall", "--cri-socket", "off"}, .netns = &node.host};
    for (const std::string& word : directory_arguments(node))
        uninstall.argv.push_back(word);
    const auto config = node.directory() / "config.json";
    std::ofstream(config) << node.plugin.dump();
    uninstall.argv.insert(uninstall.argv.end(), {"--config", config.string()});
    must_execute(uninstall);
    REQUIRE(node.settled_footprint() == nothing);

    require_ok(gateway.check());
    check_complains(never.check());
    require_ok(gateway.del());
    require_ok(gateway.add());
    require_ok(gateway.check());
    CHECK(node.status().dump().find("gateway") != std::string::npos);
}

TEST_CASE("CHECK of a pod whose namespace isn't the one that was bound fails", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.expose = "80:9080"});
    const Pod other(node, {.name = "other"});
    require_ok(gateway.add());
    PluginCall call = gateway.call("CHECK");
    call.netns = other.netns.path();
    check_complains(call_plugin(sallyport_binary(), call, node.host));
}

TEST_CASE("CHECK where our state can't be looked at says nothing against the pod", "[check]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const auto pin = node.bpffs() / "sallyport/maps/pods";
    std::filesystem::remove(pin);
    std::filesystem::create_directory(pin);
    require_ok(gateway.check());
    PluginCall call = gateway.call("CHECK");
    call.netns = "/run/netns/nobody-made-this";  // this is the pod's own fault
    CHECK(call_plugin(sallyport_binary(), call, node.host).code() == 4);
}
