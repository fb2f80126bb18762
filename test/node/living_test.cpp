// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The living are evicted last: what has ended, and what anybody can forge, takes no room from a connection. The same
// beside portmap, where there is one. `make soak`: 1,000 idle connections, under 1,000,000 short ones and floods of
// 2,000,000 SYNs and datagrams each. There is no agent in any of it.
#include "support/flood.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/soak.hpp"
#include "support/speaker.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <unistd.h>

#include <memory>

using namespace sallyport::test;

namespace {

const std::string portmap = "/usr/lib/cni/portmap";

/// A pod, and the node port by which it is reached.
struct Served
{
    Served(Node& node, std::uint16_t port, const PodSpec& spec)
        : pod(node, spec),
          server(pod.netns, {"::", 9080}),
          datagrams(pod.netns, "datagrams", {"::", 9080}),
          port(port)
    {
        require_ok(pod.add());
    }

    Pod pod;
    Speaker server;
    UdpServer datagrams;
    std::uint16_t port;
};

/// As a runtime would call it, after the plain pod's chain.
Answer map_port(const Node& node, const Served& served)
{
    const Json plugin{{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}, {"backend", "iptables"}};
    Json mappings = Json::array();
    for (const char* protocol : {"tcp", "udp"})
        mappings.push_back({{"hostPort", served.port}, {"containerPort", 9080}, {"protocol", protocol}});
    const Json config = plugin_config(node.list(), plugin, {{"portMappings", mappings}}, served.pod.primary_result);
    return call_plugin(portmap,
                       {.command = "ADD",
                        .container_id = served.pod.container_id,
                        .netns = served.pod.netns.path().string(),
                        .stdin_text = config.dump()},
                       node.host);
}

/// Clients who say whether they will speak or listen, and then nothing more.
class Idle
{
public:
    Idle(const Node& node, const Served& served, std::size_t count, bool v6) : served_(served)
    {
        for (std::size_t i = 0; i < count; i++) {
            auto client =
                std::make_unique<Connection>(node.client, Target{v6 && i % 4 < 2 ? node_v6 : node_v4, served.port});
            REQUIRE(client->read_line() == "welcome");
            REQUIRE(client->send(i % 2 == 0 ? "speak\n" : "listen\n"));
            REQUIRE(client->read_line() == "so be it");
            (i % 2 == 0 ? speakers_ : listeners_).push_back(std::move(client));
        }
    }

    /// How many aren't heard any more, or hear nothing. Each costs `patience`, so the first few are enough.
    std::size_t lost()
    {
        std::size_t count = 0;
        served_.server.speak("news\n");
        for (std::size_t i = 0; i < listeners_.size() && count < 3; i++)
            count += listeners_[i]->read_line() == "news" ? 0 : 1;
        for (auto* half : {&listeners_, &speakers_})
            for (std::size_t i = 0; i < half->size() && count < 3; i++)
                count += (*half)[i]->send("hello\n") && (*half)[i]->read_line() == "hello" ? 0 : 1;
        return count;
    }

private:
    const Served& served_;
    std::vector<std::unique_ptr<Connection>> speakers_;
    std::vector<std::unique_ptr<Connection>> listeners_;
};

}  // namespace

TEST_CASE("idle connections live through short ones and floods, whoever speaks first", "[load][living]")
{
    Node node;
    // So small that each form would replace every entry more than once, and with room for those that live at a time:
    // the kernel's table of that kind evicts in batches, before it is full.
    node.plugin["flows"] = {{"new", 16384}, {"established", amount(1024, 4096)}};
    Served ours(node, 80, {.expose = "80:9080, 80:9080/udp"});
    std::unique_ptr<Served> theirs;
    if (access(portmap.c_str(), X_OK) == 0) {
        theirs = std::make_unique<Served>(node, 8080, PodSpec{.name = "mapped"});
        require_ok(map_port(node, *theirs));
    }

    const std::size_t idle = amount<std::size_t>(200, 1000);
    Idle our_idle(node, ours, idle, true);
    std::optional<Idle> their_idle;
    if (theirs)
        their_idle.emplace(node, *theirs, idle, false);

    for (const Served* served : {static_cast<const Served*>(&ours), static_cast<const Served*>(theirs.get())})
        if (served) {
            CHECK(come_and_go(node.client, {node_v4, served->port}, amount(5'000U, 1'000'000U)) == "");
            flood_datagrams(node, served->port, amount(20'000U, 2'000'000U));
            flood(node, served->port, amount(20'000U, 2'000'000U));
        }
    if (their_idle)
        CHECK(their_idle->lost() == 0);
    CHECK(our_idle.lost() == 0);
    CHECK(node.status().at("flows").at("established") >= idle);
}

TEST_CASE("a server is heard when it speaks first, though more connections live than the table holds", "[living]")
{
    Node node;
    node.plugin["flows"] = {{"new", 16384}, {"established", 1024}};
    Served ours(node, 80, {.expose = "80:9080"});
    Idle first(node, ours, 20, true);
    Idle others(node, ours, 2000, true);
    CHECK(first.lost() == 0);
}

// RFC 5961: who knows the four numbers of a connection can send packets in its client's name.
TEST_CASE("two blind packets take no connection from a pod that drains", "[living]")
{
    constexpr std::uint16_t client_port = 40123;
    Node node;
    Served older(node, 80, {.name = "older", .expose = "80:9080"});
    Connection connection(node.client, {node_v4, 80}, {.source = Target{client_v4, client_port}});
    REQUIRE(connection.read_line() == "welcome");
    REQUIRE(connection.send("speak\n"));
    REQUIRE(connection.read_line() == "so be it");

    const Served younger(node, 80, {.name = "younger", .expose = "80:9080"});
    for (const std::uint32_t sequence : {0U, 1U << 30, 1U << 31, 3U << 30}) {
        forge(node, client_port, 80, {.sequence = sequence});
        forge(node, client_port, 80, {.syn = true, .sequence = sequence});
        REQUIRE(connection.send("hello\n"));
        CHECK(connection.read_line() == "hello");
    }
}
