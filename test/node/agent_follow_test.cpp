// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent follows what changes on its node, while gateway pods live.
#include "support/agent.hpp"
#include "support/chain.hpp"
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <unistd.h>

#include <fstream>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

/// With a short limit, as it is asked again and again.
bool answers(const Node& node, const std::string& address, const std::string& own)
{
    return ask_tcp(node.client, {address, 80}, {.limit = 300ms}) == "gateway " + own;
}

/// A second outside device, with addresses at both ends.
void add_device(const Node& node, const std::string& name)
{
    node.host.ip("link add " + name + " type veth peer name " + name + " netns " + node.client.name() +
                 "\naddr add 192.168.101.1/24 dev " + name + "\nlink set " + name + " up\n");
    node.client.ip("addr add 192.168.101.2/24 dev " + name + "\nlink set " + name + " up\n");
}

}  // namespace

TEST_CASE("an address that the node gets is answered on, and one that it loses is not", "[agent][follow]")
{
    Node node;
    const ServingGateway gateway(node);
    const Agent agent(node);
    agent.wait_until_begun();
    const auto& [address, length, own] = GENERATE(table<std::string, std::string, std::string>(
        {{virtual_v4, "/32", client_v4}, {virtual_v6, "/128 nodad", client_v6}}));
    CAPTURE(address);
    const std::string bare_length = length.substr(0, length.find(' '));
    REQUIRE_FALSE(answers(node, address, own));
    for (int i = 0; i < 3; i++) {
        node.host.ip("addr add " + address + bare_length + " dev eth0" + length.substr(bare_length.size()) + "\n");
        const auto added = std::chrono::steady_clock::now();
        const bool answered = eventually([&, &address = address, &own = own] { return answers(node, address, own); });
        INFO("after " << std::chrono::duration<double>(std::chrono::steady_clock::now() - added).count() << " s");
        CHECK(answered);
        node.host.ip("addr del " + address + bare_length + " dev eth0\n");
        CHECK(eventually([&, &address = address, &own = own] { return !answers(node, address, own); }));
    }
    INFO(agent.log());
    check_serves(node);
}

TEST_CASE("a thousand changes of addresses at once are followed, and few times", "[agent][follow]")
{
    Node node;
    const ServingGateway gateway(node);
    const Agent agent(node);
    agent.wait_until_begun();
    const auto before = agent.cost().cpu;
    std::string batch;
    for (int i = 1; i <= 250; i++)
        for (const char* verb : {"addr add", "addr del", "addr add", "addr del"})
            batch += std::string(verb) + " 198.51.100." + std::to_string(i) + "/32 dev eth0\n";
    node.host.ip(batch + "addr add " + virtual_v4 + "/32 dev eth0\n");
    CHECK(eventually([&] { return answers(node, virtual_v4, client_v4); }));
    INFO(agent.log());
    CHECK(agent.cost().cpu - before < 500ms);  // a look for each change would take many times that
}

TEST_CASE("a device that comes is attached to, and so is one that comes again under its name", "[agent][follow]")
{
    Node node;
    const ServingGateway gateway(node);
    Agent agent(node);
    agent.wait_until_begun();
    for (int i = 0; i < 2; i++) {
        add_device(node, "eth1");
        CHECK(eventually([&] { return answers(node, "192.168.101.1", "192.168.101.2"); }));
        CHECK(chain_of(node.host, "eth1", true) == Names{"node_ingress"});
        CHECK(chain_of(node.host, "eth1", false) == Names{"node_egress"});
        node.host.ip("link del eth1\n");
        CHECK(eventually([&] { return node.status().at("devices") == Json{"eth0"}; }));
    }
    check_serves(node);
    CHECK(agent.log().find("had lost") == std::string::npos);  // a new device is no loss
}

TEST_CASE("a default route makes a device an outside one", "[agent][follow]")
{
    Node node;
    const ServingGateway gateway(node);
    const Agent agent(node);
    agent.wait_until_begun();
    node.host.ip("link add eth1 type veth peer name eth1 netns " + node.client.name() + "\nlink set eth1 up\n");
    node.client.ip("link set eth1 up\n");
    node.host.ip("route add 0.0.0.0/0 dev eth1 metric 2000\n");
    CHECK(eventually([&] { return chain_of(node.host, "eth1", true) == Names{"node_ingress"}; }));
    node.host.ip("route del 0.0.0.0/0 dev eth1 metric 2000\n");
    std::this_thread::sleep_for(10s);  // it might have come back
    CHECK(chain_of(node.host, "eth1", true) == Names{"node_ingress"});
    CHECK(eventually([&] { return chain_of(node.host, "eth1", true) == Names{}; }));
    CHECK(eventually([&] { return chain_of(node.host, "eth1", false) == Names{}; }));
    check_serves(node);
}

TEST_CASE("an address that goes and returns takes no connection along", "[agent][follow]")
{
    Node node;
    const ServingGateway gateway(node);
    add_device(node, "eth1");
    const Agent agent(node);
    agent.wait_until_begun();
    CHECK(eventually([&] { return chain_of(node.host, "eth1", true) == Names{"node_ingress"}; }));
    std::vector<std::unique_ptr<Connection>> connections;
    for (int i = 0; i < 50; i++) {
        connections.push_back(std::make_unique<Connection>(node.client, Target{"192.168.101.1", 80}));
        connections.back()->send("echo\n");
        REQUIRE(connections.back()->read_line() == "ready");
    }
    for (const bool somebody_starts : {false, true}) {
        CAPTURE(somebody_starts);
        node.host.ip("addr del 192.168.101.1/24 dev eth1\n");
        for (const auto& connection : connections)
            connection->send("spoken while it was away\n");
        std::this_thread::sleep_for(1s);
        if (somebody_starts) {
            Pod other(node, {.name = "other", .kubernetes_namespace = "others", .expose = "443:9443"});
            require_ok(other.add());
            require_ok(other.del());
        }
        CHECK(chain_of(node.host, "eth1", true) == Names{"node_ingress"});
        node.host.ip("addr add 192.168.101.1/24 dev eth1\n");
        for (const auto& connection : connections)
            CHECK(connection->read_line() == "spoken while it was away");
    }
}

TEST_CASE("a cgroup that comes gets its hooks", "[agent][follow]")
{
    LocalNode node;
    const ServingGateway gateway(node);
    const auto before = node.cgroup.programs().size();
    REQUIRE(before > 0);
    const Agent agent(node);
    agent.wait_until_begun();
    node.cgroup.add("kubepods.slice");
    CHECK(eventually([&] { return node.cgroup.programs().size() == 2 * before; }));
    const Stay stay(node.cgroup, "kubepods.slice");
    CHECK(ask_tcp(node.host, {"127.0.0.1", 80}).starts_with("gateway "));
    INFO(agent.log());
}

TEST_CASE("whoever comes before us comes behind us again, without a gateway's ADD", "[agent][follow]")
{
    Node node;
    ServingGateway gateway(node);
    const Agent agent(node);
    agent.wait_until_begun();
    check_serves(node);
    const bool ingress = GENERATE(true, false);
    const std::string side = ingress ? "ingress" : "egress";
    CAPTURE(side);
    {
        const Intruder intruder(node.host, "eth0", ingress);
        CHECK(eventually([&] { return chain_of(node.host, "eth0", ingress) == Names{"node_" + side, "intruder"}; }));
        INFO(agent.log());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        CHECK(agent.says("putting it back"));
    }
    check_serves(node);
}

TEST_CASE("programs of another build are replaced when an agent begins, traffic flowing", "[agent][follow]")
{
    LocalNode node;
    const ServingGateway gateway(node);
    Connection open(node.client, {node_v4, 80});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");
    const auto programs = programs_in(node.host);
    const auto hooks = node.cgroup.programs();
    node.pretend_another_build();
    const Agent agent(node);
    CHECK(eventually([&] { return programs_in(node.host) != programs && node.cgroup.programs() != hooks; }));
    INFO(agent.log());
    open.send("still here\n");
    CHECK(open.read_line() == "still here");
    check_serves(node);
    CHECK(agent.log().find("had lost") == std::string::npos);  // replaced, not lost
}

TEST_CASE("what somebody took away is put back", "[agent][follow]")
{
    LocalNode node;
    const ServingGateway gateway(node);
    const Agent agent(node);
    agent.wait_until_begun();
    const std::string what = GENERATE("links", "programs", "maps/addresses", "cgroups");
    CAPTURE(what);
    const auto hooks = node.cgroup.programs().size();
    const std::filesystem::path pins = node.bpffs() / "sallyport" / what;
    if (what.find('/') != std::string::npos)
        std::filesystem::remove(pins);
    else
        for (const auto& pin : std::filesystem::directory_iterator(pins))
            std::filesystem::remove(pin);
    CHECK(eventually([&] {
        return answers(node, node_v4, client_v4) && node.cgroup.programs().size() == hooks &&
               std::filesystem::exists(pins) && !std::filesystem::is_empty(node.bpffs() / "sallyport/links");
    }));
    INFO(agent.log());
    check_serves(node);
}

TEST_CASE("the plugin is put back at once where somebody took or broke it, as no pod starts without", "[agent][follow]")
{
    Node node;
    const Agent agent(node);
    agent.wait_until_begun();
    const std::filesystem::path plugin = cni_bin_dir(node) / "sallyport";
    const auto is_whole = [&] {
        std::error_code error;
        return std::filesystem::file_size(plugin, error) == std::filesystem::file_size(sallyport_binary()) &&
               access(plugin.c_str(), X_OK) == 0;
    };
    REQUIRE(eventually(is_whole));
    SECTION("removed")
    {
        std::filesystem::remove(plugin);
    }
    SECTION("overwritten")
    {
        std::ofstream(plugin) << "junk";
    }
    SECTION("moved away")
    {
        std::filesystem::rename(plugin, plugin.string() + ".old");
    }
    SECTION("not to be started")
    {
        std::filesystem::permissions(plugin, std::filesystem::perms::owner_read);
    }
    CHECK(eventually(is_whole));
    INFO(agent.log());
    CHECK(agent.log().find("error plugin") == std::string::npos);
}
