// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// kill -9 at any moment. The plugin is stopped before each of its system calls in turn that could leave something
// behind, so every state that a kill can leave is seen, and the same ones in every run.
#include "support/bystander.hpp"
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

using namespace sallyport::test;

namespace {

/// Runs a call, killed before its `limit`th system call that leaves traces. True if it was killed.
bool killed_at(unsigned limit, const PluginCall& call, const Node& node)
{
    unsigned count = 0;
    const Output output =
        execute_traced(invocation_of(sallyport_binary(), call, node.host),
                       [&](const SystemCall& seen) { return !leaves_traces(seen) || ++count < limit; });
    if (output.status == 128 + SIGKILL)
        return true;
    INFO(output.out << output.err);
    REQUIRE(output.status == 0);
    return false;
}

}  // namespace

TEST_CASE("the node's first ADD, killed at any moment, then DEL: nothing left", "[crash]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    unsigned kills = 0;
    for (unsigned limit = 1; killed_at(limit, gateway.call("ADD"), node); limit++, kills++) {
        CAPTURE(limit);
        require_ok(gateway.del());
        REQUIRE(node.footprint() == nothing);
    }
    CHECK(kills > 20);
}

TEST_CASE("an ADD killed at any moment, then DEL: nothing left, and another pod's exposure untouched", "[crash]")
{
    Node node;
    const Bystander bystander(node);
    Pod gateway(node, {.kubernetes_namespace = "others", .expose = "80:9080, 443:9443/udp"});
    const std::vector<std::string> before = node.footprint();
    const Entries entries = entries_below(node.bpffs());
    unsigned kills = 0;
    for (unsigned limit = 1; killed_at(limit, gateway.call("ADD"), node); limit++, kills++) {
        CAPTURE(limit);
        bystander.check_serves();
        require_ok(gateway.del());
        REQUIRE(node.footprint() == before);
        REQUIRE(entries_below(node.bpffs()) == entries);
        REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "refused");
        bystander.check_serves();
    }
    CHECK(kills > 10);
}

TEST_CASE("a DEL killed at any moment, then DEL: nothing left", "[crash]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    unsigned kills = 0;
    for (unsigned limit = 1;; limit++, kills++) {
        CAPTURE(limit);
        const Answer added = gateway.add();
        INFO(added.out << added.err);
        REQUIRE(added.ok());
        const bool killed = killed_at(limit, gateway.call("DEL"), node);
        require_ok(gateway.del());
        REQUIRE(node.footprint() == nothing);
        if (!killed)
            break;
    }
    CHECK(kills > 5);
}

TEST_CASE("an ADD killed at any moment doesn't stand in the way of the next, of the same pod or another's", "[crash]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    for (unsigned limit = 1; killed_at(limit, gateway.call("ADD"), node); limit++) {
        CAPTURE(limit);
        Pod other(node, {.name = "other", .kubernetes_namespace = "others", .expose = "443:9443"});
        const Answer first = other.add();
        INFO(first.out << first.err);
        REQUIRE(first.ok());
        const Answer again = gateway.add();
        INFO(again.out << again.err);
        REQUIRE(again.ok());
        REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        require_ok(other.del());
        require_ok(gateway.del());
        REQUIRE(node.footprint() == nothing);
    }
}

TEST_CASE("an ADD killed at any moment leaves no hook at a cgroup that the next one doesn't find", "[crash]")
{
    LocalNode node;
    node.plugin["localAccess"] = false;  // two hooks are enough to see
    Pod bystander(node, {.name = "bystander", .expose = "8000:9080"});
    require_ok(bystander.add());
    Pod gateway(node, {.expose = "80:9080"});
    const auto hooks = [&] {
        const auto programs = node.cgroup.programs();
        return std::count_if(programs.begin(), programs.end(),
                             [](const std::string& line) { return line.starts_with("coming.slice "); });
    };
    unsigned limit = 1;
    for (bool killed = true; killed; limit++) {
        CAPTURE(limit);
        node.cgroup.add("coming.slice");
        killed = killed_at(limit, gateway.call("ADD"), node);
        require_ok(gateway.add());
        // A link that the killed one had not pinned yet goes as soon as the kernel gets to it.
        for (const auto end = std::chrono::steady_clock::now() + patience;
             hooks() != 2 && std::chrono::steady_clock::now() < end;)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        REQUIRE(hooks() == 2);
        require_ok(gateway.del());
        node.cgroup.remove("coming.slice");
    }
    CHECK(limit > 15);
    require_ok(bystander.del());
    CHECK(node.cgroup.programs() == nothing);
    CHECK(node.footprint() == nothing);
}
