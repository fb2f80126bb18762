// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One client port, used towards several addresses that all end at one listener: for the pod that would be one and the
// same connection. Each must have its own, and hear only itself.
#include "support/echo.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <memory>
#include <sstream>

using namespace sallyport::test;

namespace {

constexpr std::uint16_t one_port = 45000;

struct EchoGateway
{
    explicit EchoGateway(Node& node, std::map<std::string, std::string> annotations = {})
        : pod(node, {.expose = "80:9080, 8080:9080, 80:9080/udp, 8080:9080/udp", .annotations = std::move(annotations)})
    {
        require_ok(pod.add());
    }

    Pod pod;
    EchoServer server{pod.netns, {"::", 9080}};
};

/// Opens one after the other, from one client port, then lets each talk while all are open. "" where all is well.
std::string talk_to_all(const Node& node, int protocol, const std::vector<Target>& targets)
{
    const std::string own = targets.front().address.find(':') == std::string::npos ? client_v4 : client_v6;
    std::vector<std::unique_ptr<EchoClient>> clients;
    std::ostringstream wrong;
    for (const Target& target : targets) {
        try {
            clients.push_back(std::make_unique<EchoClient>(node.client, protocol, target,
                                                           DialOptions{.source = Target{own, one_port}}));
            wrong << clients.back()->echo("first words to " + target.to_string());
        } catch (const std::system_error& error) {
            wrong << error.what();
            return wrong.str();
        }
    }
    for (int round = 0; round < 3; round++)
        for (std::size_t i = 0; i < clients.size(); i++)
            wrong << clients[i]->echo("round " + std::to_string(round) + " with " + targets[i].to_string());
    // All at once: whoever got another's words would have some left over, or some too few.
    for (std::size_t i = 0; i < clients.size(); i++)
        clients[i]->send(targets[i].to_string());
    for (std::size_t i = 0; i < clients.size(); i++)
        if (const std::string back = clients[i]->receive(targets[i].to_string().size()); back != targets[i].to_string())
            wrong << targets[i].to_string() << " heard " << back;
    // To the end, or the kernel wouldn't let the client's port be used again at once.
    for (std::size_t i = 0; i < clients.size() && protocol == IPPROTO_TCP; i++)
        if (!clients[i]->finish())
            wrong << targets[i].to_string() << " doesn't end";
    return wrong.str();
}

/// In every order.
void check_all_orders(const Node& node, int protocol, std::vector<Target> targets)
{
    const auto before = [](const Target& a, const Target& b) { return a.to_string() < b.to_string(); };
    std::sort(targets.begin(), targets.end(), before);
    do {
        CAPTURE(protocol, targets.front().to_string(), targets.back().to_string());
        CHECK(talk_to_all(node, protocol, targets) == "");
    } while (std::next_permutation(targets.begin(), targets.end(), before));
}

}  // namespace

TEST_CASE("one client port to two node ports of one backend, and to the pod itself", "[clash]")
{
    Node node;
    const EchoGateway gateway(node);
    const int protocol = GENERATE(int{IPPROTO_TCP}, int{IPPROTO_UDP});
    const bool v6 = GENERATE(false, true);
    const std::string on_node = v6 ? node_v6 : node_v4;
    const std::string on_pod = v6 ? gateway.pod.v6 : gateway.pod.v4;
    CAPTURE(protocol, on_node);
    check_all_orders(node, protocol, {{on_node, 80}, {on_node, 8080}});
    check_all_orders(node, protocol, {{on_node, 80}, {on_pod, 9080}});
    check_all_orders(node, protocol, {{on_node, 80}, {on_node, 8080}, {on_pod, 9080}});
}

TEST_CASE("one client port to a remapped port, to the port it leads to, and to a node port", "[clash][remap]")
{
    Node node;
    const EchoGateway gateway(node, {{"sallyport.dev/remap", "80:9080, 80:9080/udp"}});
    const int protocol = GENERATE(int{IPPROTO_TCP}, int{IPPROTO_UDP});
    const bool v6 = GENERATE(false, true);
    const std::string on_node = v6 ? node_v6 : node_v4;
    const std::string on_pod = v6 ? gateway.pod.v6 : gateway.pod.v4;
    CAPTURE(protocol, on_node);
    check_all_orders(node, protocol, {{on_pod, 80}, {on_pod, 9080}});
    check_all_orders(node, protocol, {{on_node, 80}, {on_pod, 80}, {on_pod, 9080}});
}

TEST_CASE("1,000 connections to each of two node ports, from the same client ports", "[clash]")
{
    Node node;
    const EchoGateway gateway(node);
    std::vector<std::unique_ptr<EchoClient>> clients;
    for (std::uint16_t port = 20000; port < 21000; port++)
        for (const std::uint16_t node_port : {std::uint16_t{80}, std::uint16_t{8080}})
            clients.push_back(std::make_unique<EchoClient>(node.client, IPPROTO_TCP, Target{node_v4, node_port},
                                                           DialOptions{.source = Target{client_v4, port}}));
    for (std::size_t i = 0; i < clients.size(); i++)
        REQUIRE(clients[i]->echo("I am " + std::to_string(i)) == "");
}
