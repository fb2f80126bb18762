// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Agents begin, end, are killed, meet each other and are upgraded; traffic doesn't notice. `make soak`: 50 times.
#include "support/agent.hpp"
#include "support/http.hpp"
#include "support/local_node.hpp"
#include "support/other_build.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/soak.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>
#include <memory>
#include <utility>

using namespace sallyport::test;
using namespace std::chrono_literals;

TEST_CASE("SIGTERM ends an agent with status 0, and leaves everything as it is", "[agent][life]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080");
    require_ok(gateway.pod.add());
    gateway.listen();
    Agent agent(node);
    agent.wait_until_begun();
    const auto before = node.footprint();
    const Output output = agent.end();
    INFO(output.err);
    CHECK(output.status == 0);
    CHECK(output.out == "");
    CHECK(node.footprint() == before);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    require_ok(gateway.pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("an agent that is killed at any time leaves traffic and CNI calls alone", "[agent][life]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080, 443:9443/udp"});
    const TcpServer tcp(pod.netns, "gateway", {"::", 9080});
    const UdpServer udp(pod.netns, "gateway", {"::", 9443});
    require_ok(pod.add());
    for (int i = 0; i < 12; i++) {
        node.pretend_another_build();  // much to do at its start
        const Agent agent(node);
        std::this_thread::sleep_for(20ms * i);
        agent.kill();
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        Pod other(node, {.name = "other", .expose = "8000:9080"});
        require_ok(other.add());
        require_ok(other.del());
    }
    check_serves(node);
    require_ok(pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("of two agents of different builds, the one that began last is in charge", "[agent][life]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080");
    require_ok(gateway.pod.add());
    gateway.listen();
    const Agent older(node);
    older.wait_until_begun();
    const auto of_the_older = node.footprint();
    auto younger = std::make_unique<Agent>(node, "", other_build(node));
    CHECK(older.says("another agent has begun on this node"));
    auto programs = of_the_older;
    REQUIRE(eventually([&] {  // its programs are all in place
        const auto last = std::exchange(programs, node.footprint());
        std::this_thread::sleep_for(500ms);
        return last == programs && programs != of_the_older;
    }));
    for (int i = 0; i < 5; i++) {
        node.cgroup.add("slice-" + std::to_string(i));
        node.host.ip("addr add 198.51.100." + std::to_string(i) + "/32 dev eth0\n");
        std::this_thread::sleep_for(500ms);
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    }
    INFO(older.log() << younger->log());
    // No program was replaced, though both have seen ten changes.
    for (const std::string& line : programs)
        CHECK(std::ranges::count(node.footprint(), line) == 1);

    younger->kill();
    younger.reset();
    CHECK(older.says("another agent: all is well again"));
    node.host.ip("addr add " + virtual_v4 + "/32 dev eth0\n");
    CHECK(
        eventually([&] { return ask_tcp(node.client, {virtual_v4, 80}, {.limit = 300ms}) == "gateway " + client_v4; }));
}

TEST_CASE("agents that are killed, restarted and upgraded under load fail no request", "[load][agent][life]")
{
    LocalNode node;
    Pod pod(node, {.expose = "80:9080"});
    const Nginx nginx(node, pod);
    require_ok(pod.add());
    const std::string other = other_build(node);
    Load load(node.client, {node_v4, 80}, GENERATE(Reuse::connection_per_request, Reuse::keep_alive));
    const int rounds = amount(4, 50);
    for (int i = 0; i < rounds; i++) {
        Agent agent(node, "", i % 2 == 0 ? other : sallyport_binary());
        CHECK(agent.says("this configuration is in force now"));
        std::this_thread::sleep_for(300ms);  // into what it does at its start, or past it
        if (i % 3 == 0) {
            agent.kill();
        } else {
            CHECK(agent.end().status == 0);
        }
    }
    const LoadReport report = load.stop();
    INFO(report.text);
    CHECK(report.failures == "");
    CHECK(report.requests > 100UL * static_cast<unsigned>(rounds));  // on a machine that is busy with others too
}

TEST_CASE("an agent at rest costs next to nothing, and leaks nothing", "[agent][life]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080, 443:9080");
    require_ok(gateway.pod.add());
    gateway.listen();
    Agent agent(node);
    agent.wait_until_begun();
    std::this_thread::sleep_for(2s);
    const Cost before = agent.cost();
    const std::chrono::milliseconds rest = amount(5s, 60s);
    std::this_thread::sleep_for(rest);
    const Cost after = agent.cost();
    WARN(in_words(before, after, rest));
    CHECK(after.cpu - before.cpu <= rest / 20);  // promised is a fifth of it; other tests run beside this one
    CHECK(after.resident_kib < 20 * 1024);
    CHECK(eventually([&] { return agent.cost().descriptors <= before.descriptors; }));
}

TEST_CASE("an agent that is out of descriptors says so once, and goes on when there are some", "[agent][life][web]")
{
    Node node;
    const Agent agent(node);
    agent.wait_until_begun();
    const auto limit = agent.cost().descriptors;
    agent.limit_descriptors(limit);
    std::vector<Connection> idle;
    for (int i = 0; i < 8; i++)  // they take what gaps there are in the numbers
        idle.emplace_back(node.host, Target{"127.0.0.1", 9465});
    Connection waits(node.host, {"127.0.0.1", 9465});
    waits.send("GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    const std::string warning = "accept a connection over HTTP: Too many open files";
    CHECK(agent.says(warning));
    for (rlim_t more = 1; more <= 4; more++) {  // one more of them is accepted each time, and the next isn't
        agent.limit_descriptors(limit + more);
        std::this_thread::sleep_for(250ms);  // in which it tries twice
    }
    agent.limit_descriptors(1024);
    CHECK(waits.read_all().starts_with("HTTP/1.1 200 "));
    const std::string log = agent.log();
    INFO(log);
    CHECK(log.find(warning) == log.rfind(warning));
}
