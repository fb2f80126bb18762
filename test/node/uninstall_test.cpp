// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport uninstall`, as an operator or an init container runs it.
#include "bare_machine.hpp"

#include "support/footprint.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include "sallyport/node/succession.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>

using namespace sallyport::test;
namespace fs = std::filesystem;

TEST_CASE("uninstall takes all of ours off the node, and names the pods that lose their ports", "[uninstall]")
{
    BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    Pod gateway(node, {.name = "apisix-0", .expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);

    const Output output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("gateways/apisix-0") != std::string::npos);
    CHECK(output.err.find(":80/tcp") != std::string::npos);
    CHECK(node.settled_footprint() == nothing);
    CHECK(fs::is_empty(node.bin()));
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    require_ok(gateway.del());  // where a runtime still has us in its mind
}

TEST_CASE("uninstall empties the state directory, but for others' files, and names the log that stays", "[uninstall]")
{
    BareMachine node;
    node.write_config();
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    Pod refused(node, {.kubernetes_namespace = "others", .expose = "80:9080"});
    CHECK(refused.add().code() == 101);
    fs::create_directories(node.state_dir() / "agents");
    std::ofstream(node.state_dir() / "agents" / "7") << "of an agent that was killed";
    require_ok(gateway.del());
    for (const char* const name : {"lock", "line", "conflicts", "refusals", "agents"}) {
        CAPTURE(name);
        REQUIRE(fs::exists(node.state_dir() / name));
    }
    const bool shared = GENERATE(false, true);
    if (shared)
        std::ofstream(node.state_dir() / "others") << "not ours";

    for (int i = 0; i < 2; i++) {
        const Output output = node.run("uninstall");
        require_success(output);
        CHECK(output.out.find(node.log_file().string() + ": the log stays") != std::string::npos);
        CHECK(fs::exists(node.state_dir()) == shared);
    }
    if (shared)
        CHECK(std::distance(fs::directory_iterator(node.state_dir()), fs::directory_iterator()) == 1);
}

TEST_CASE("uninstall leaves a note of the pods that go on without their node ports, and nothing else", "[uninstall]")
{
    BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    for (int i = 0; i < 2; i++) {
        const Output output = node.run("uninstall");
        require_success(output);
        CHECK(output.out.find(node.state_dir().string() + ": a note of the pods") != std::string::npos);
        REQUIRE(fs::exists(node.state_dir() / "given-up"));
        CHECK(std::distance(fs::directory_iterator(node.state_dir()), fs::directory_iterator()) == 1);
    }
    require_ok(gateway.del());
}

TEST_CASE("uninstall keeps the plugin where a network can't do without it, and goes on", "[uninstall]")
{
    BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    std::ofstream(node.net() / "99-ours.conflist")
        << R"({"cniVersion":"1.0.0","name":"ours","plugins":[{"type":"sallyport"}]})";
    require_failure(node.run("uninstall"), {"99-ours.conflist", "remove the file", "stays"});
    CHECK(fs::exists(node.binary()));
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("uninstall works without a configuration", "[uninstall]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    const bool broken = GENERATE(false, true);
    if (broken)
        std::ofstream(node.config()) << "{";
    else
        fs::remove(node.config());
    const Output output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("by default") != std::string::npos);
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(fs::is_empty(node.bin()));
}

TEST_CASE("uninstall says that an agent will put everything back", "[uninstall]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    std::optional<sallyport::Succession> agent = sallyport::Succession::enter(node.state_dir());
    Output output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("an agent runs on this node") != std::string::npos);
    agent.reset();
    output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("agent") == std::string::npos);
}

TEST_CASE("uninstall --stay ends when it is told to", "[uninstall]")
{
    const BareMachine node;
    const int number = GENERATE(SIGTERM, SIGINT);
    Running uninstalling({.argv = node.words("uninstall", {"--stay"}), .netns = &node.host});
    wait_until_it_waits(uninstalling);
    uninstalling.signal(number);
    const Output output = uninstalling.wait();
    INFO(output.err);
    CHECK(output.status == 0);
    CHECK(output.out.find("waiting for SIGTERM") != std::string::npos);
}
