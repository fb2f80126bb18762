// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent's configuration comes from a file that changes below it.
#include "support/agent.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

bool answers(const Node& node, const std::string& address)
{
    return ask_tcp(node.client, {address, 80}, {.limit = 300ms}) == "gateway " + client_v4;
}

Json with_addresses(const Node& node, const Json& addresses)
{
    Json entry = node.plugin;
    entry["addresses"] = addresses;
    return entry;
}

/// As kubelet does it, or as somebody with an editor.
void change(Agent& agent, bool by_symlink, const std::string& text)
{
    by_symlink ? agent.config.replace(text) : agent.config.rewrite(text);
}

}  // namespace

TEST_CASE("a changed configuration is followed", "[agent][config]")
{
    Node node;
    const TcpGateway gateway(node);
    Agent agent(node);
    agent.wait_until_begun();
    const bool by_symlink = GENERATE(true, false);
    CAPTURE(by_symlink);
    REQUIRE_FALSE(answers(node, virtual_v4));
    for (int i = 0; i < 3; i++) {
        change(agent, by_symlink, with_addresses(node, {virtual_v4 + "/32"}).dump());
        CHECK(eventually([&] { return answers(node, virtual_v4); }));
        change(agent, by_symlink, node.plugin.dump());
        CHECK(eventually([&] { return !answers(node, virtual_v4); }));
    }
    INFO(agent.log());
    CHECK(answers(node, node_v4));
}

TEST_CASE("where outside traffic arrives and who may use node ports locally follow too", "[agent][config]")
{
    LocalNode node;
    const TcpGateway gateway(node);
    Agent agent(node);
    agent.wait_until_begun();
    node.host.ip("link add eth1 type veth peer name eth1 netns " + node.client.name() + "\nlink set eth1 up\n");
    Json entry = node.plugin;
    entry["devices"] = {"eth*"};
    entry["localAccess"] = false;
    entry["reservePorts"] = false;
    agent.config.replace(entry.dump());
    CHECK(eventually([&] { return node.status().at("devices") == Json{"eth0", "eth1"}; }));
    CHECK(eventually([&] { return node.cgroup.programs() == nothing; }));
    INFO(agent.log());
}

TEST_CASE("a broken configuration changes nothing, and says where it is broken", "[agent][config]")
{
    Node node;
    node.plugin["addresses"] = {virtual_v4};
    const TcpGateway gateway(node);
    Agent agent(node);
    agent.wait_until_begun();
    Json unknown_key = node.plugin;
    unknown_key["adresses"] = Json::array();
    const std::vector<std::pair<std::string, std::string>> all{
        {with_addresses(node, {"192.0.2.300"}).dump(), "/addresses/0"},
        {unknown_key.dump(), "/adresses"},
        {"{", "config.json"},
        {"", "config.json"},
    };
    const auto& [broken, reason] = all.at(GENERATE(0U, 1U, 2U, 3U));
    CAPTURE(broken);
    agent.config.replace(broken);
    CHECK(agent.says("the configuration before it stays in force"));
    INFO(agent.log());
    const std::string log = agent.log();
    const std::size_t told = log.find("stays in force");
    REQUIRE(told != std::string::npos);
    CHECK(log.substr(0, told).find(reason) != std::string::npos);
    CHECK(answers(node, virtual_v4));

    std::this_thread::sleep_for(5500ms);  // it looks again, and doesn't say it again
    CHECK(agent.log().find("stays in force", told + 1) == std::string::npos);
    agent.config.replace(node.plugin.dump(1));
    CHECK(agent.says("configuration: all is well again"));
    CHECK(answers(node, virtual_v4));
}

TEST_CASE("an agent that has no configuration waits for one, and touches nothing", "[agent][config]")
{
    Node node;
    const TcpGateway gateway(node);
    Agent agent(node, "no JSON");
    CHECK(agent.says("config.json"));
    node.host.ip("addr add " + virtual_v4 + "/32 dev eth0\n");
    std::this_thread::sleep_for(500ms);
    CHECK(answers(node, node_v4));
    CHECK_FALSE(answers(node, virtual_v4));
    agent.config.replace(node.plugin.dump());
    CHECK(eventually([&] { return answers(node, virtual_v4); }));
}

TEST_CASE("the places of our state stay where bound pods' DEL will look for them", "[agent][config]")
{
    Node node;
    TcpGateway gateway(node);
    Agent agent(node);
    agent.wait_until_begun();
    Json entry = node.plugin;
    entry["stateDir"] = (node.directory() / "elsewhere").string();
    agent.config.replace(entry.dump());
    CHECK(agent.says("drain them first"));
    CHECK(answers(node, node_v4));
    require_ok(gateway.pod.del());
    CHECK(agent.says("configuration: all is well again"));
}
