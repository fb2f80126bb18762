// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// QUIC connections of real servers, over a handover, behind a NAT that gives their client another port. Neither end is
// told: the server finds out by the packet, if it gets it. For `make gateways` alone, which fetches both ends.
#include "gateways/container.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/subprocess.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace sallyport::test;

namespace {

/// aioquic's client behind a NAT of its own.
class QuicClient
{
public:
    QuicClient(const Node& node, std::uint16_t control_port)
        : process_({.argv = {"python", program_file("quic_client.py").string(), node_v4, "443",
                             std::to_string(control_port)},
                    .environment = {"PATH=" + servers_path()},
                    .netns = &node.client}),
          control_(connect(node, control_port))
    {}

    /// What a request is answered, within three seconds; else `silence`.
    std::string ask() { return say("ask\n"); }

    void rebind() { REQUIRE(say("rebind\n") == "done"); }

private:
    std::string say(const std::string& line)
    {
        control_->send(line);
        return control_->read_line();
    }

    /// Waits for the handshake, after which the client begins to obey.
    std::unique_ptr<Connection> connect(const Node& node, std::uint16_t port) const
    {
        for (const auto end = std::chrono::steady_clock::now() + 2 * patience;;) {
            try {
                return std::make_unique<Connection>(node.client, Target{"127.0.0.1", port});
            } catch (const std::exception&) {
                INFO(process_.errors());
                REQUIRE(std::chrono::steady_clock::now() < end);
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
    }

    Running process_;
    std::unique_ptr<Connection> control_;
};

struct QuicPod
{
    QuicPod(Node& node, const Server& server, const std::string& name, const std::string& share)
        : pod(node, {.name = name, .expose = "443:9443/udp", .annotations = {{"sallyport.dev/share", share}}})
    {
        require_ok(pod.add());
        container.emplace(node, pod, server);
    }

    Pod pod;
    std::optional<Container> container;
};

/// Pods come and go while clients keep their connections, and are given one port after the other. Returns how many
/// requests another pod or nobody answered.
int play(const Server& server, const std::string& share)
{
    constexpr int clients = 6;
    Node node;
    const QuicPod first(node, server, "first", share);
    std::vector<std::unique_ptr<QuicClient>> connections;
    std::vector<std::string> expected;
    std::optional<QuicPod> second;
    std::optional<QuicPod> third;
    int lost = 0;
    const auto ask_all = [&] {
        for (std::size_t i = 0; i < connections.size(); i++)
            lost += connections[i]->ask() == expected[i] ? 0 : 1;
    };
    const auto connect = [&] {
        for (int i = 0; i < clients; i++) {
            connections.push_back(
                std::make_unique<QuicClient>(node, static_cast<std::uint16_t>(7000 + connections.size())));
            expected.push_back(connections.back()->ask());
            CHECK(expected.back() != "silence");
        }
    };
    const auto rebind_all = [&] {
        for (const auto& connection : connections)
            connection->rebind();
        ask_all();
    };
    connect();
    second.emplace(node, server, "second", share);
    rebind_all();
    connect();
    third.emplace(node, server, "third", share);
    rebind_all();
    ask_all();
    rebind_all();
    return lost;
}

}  // namespace

TEST_CASE("QUIC connections keep their pod behind a NAT that rebinds", "[.quic]")
{
    for (const Server& server : quic_servers())
        for (const std::string share : {"newest", "spread"}) {
            const int lost = play(server, share);
            std::cout << "QUIC, " << server.name << ", " << share << " | " << lost << " of 42 lost" << std::endl;
            CAPTURE(server.name, share);
            CHECK(lost == 0);
        }
}
