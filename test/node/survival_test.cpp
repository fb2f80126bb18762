// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What established connections must live through. `make soak`: 2,000,000 SYNs. There is no agent in any of it.
#include "support/echo.hpp"
#include "support/flood.hpp"
#include "support/footprint.hpp"
#include "support/node.hpp"
#include "support/other_build.hpp"
#include "support/require_ok.hpp"
#include "support/soak.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <memory>

using namespace sallyport::test;

namespace {

constexpr std::size_t many = 1000;

using EchoClients = std::vector<std::unique_ptr<EchoClient>>;

/// Connections over IPv4 and IPv6, that say nothing more once they are known to work.
EchoClients open_connections(const Node& node)
{
    EchoClients clients;
    for (std::size_t i = 0; i < many; i++) {
        const Target target{i % 2 == 0 ? node_v4 : node_v6, 80};
        clients.push_back(std::make_unique<EchoClient>(node.client, IPPROTO_TCP, target));
        REQUIRE(clients.back()->echo("hello") == "");
    }
    return clients;
}

/// How many of them don't echo any more.
std::size_t dead(const EchoClients& clients, const std::string& text)
{
    std::size_t count = 0;
    for (std::size_t i = 0; i < clients.size() && count < 3; i++)  // each dead one costs `patience`
        count += clients[i]->echo(text + std::to_string(i)).empty() ? 0 : 1;
    return count;
}

/// A pod comes and goes, as the other build does it.
void upgrade(Node& node)
{
    const char* set = std::getenv("SALLYPORT_BIN");
    const std::string before = set ? set : "";
    setenv("SALLYPORT_BIN", other_build(node).c_str(), 1);
    Pod other(node, {.name = "other", .expose = "443:9443"});
    const Answer added = other.add();
    set ? setenv("SALLYPORT_BIN", before.c_str(), 1) : unsetenv("SALLYPORT_BIN");
    require_ok(added);
}

}  // namespace

TEST_CASE("1,000 idle connections live through a flood, a flush of the flow tables, and an upgrade", "[load][survival]")
{
    Node node;
    // So small that the short form's flood, too, replaces every entry of the table for new flows, and more than once.
    node.plugin["flows"] = {{"new", 16384}, {"established", 4096}};
    Pod gateway(node, {.expose = "80:9080"});
    const EchoServer server(gateway.netns, {"::", 9080});
    require_ok(gateway.add());
    const EchoClients clients = open_connections(node);

    const std::uint32_t syns = amount(100'000U, 2'000'000U);
    flood(node, 80, syns);
    const Json ports = node.status().at("nodePorts");
    INFO(ports.dump(2));
    std::size_t taken = 0;
    for (const Json& port : ports)
        taken += port.at("connectionsTotal").get<std::size_t>();
    CHECK(taken > syns / 2);  // the client's device may have dropped some
    CHECK(dead(clients, "after the flood ") == 0);

    CHECK(flush_flows(node.bpffs()) >= many);
    CHECK(dead(clients, "after the flush ") == 0);

    const std::vector<std::string> old_programs = programs_in(node.host);
    upgrade(node);
    CHECK(programs_in(node.host) != old_programs);
    CHECK(dead(clients, "after the upgrade ") == 0);
}
