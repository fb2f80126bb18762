// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod that has one of the node's addresses for itself, as Docker in a pod has 172.17.0.1, means itself by it.
#include "support/local_node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>

#include <optional>

using namespace sallyport::test;

namespace {

const std::vector<std::string> own_names{node_v4, node_v6, "::ffff:" + node_v4};

/// A gateway on 80, TCP and UDP, and a pod with the node's addresses on its loopback device.
struct NamespaceScene
{
    NamespaceScene()
    {
        gateway.listen();
        require_ok(gateway.pod.add());
        other.netns.ip("addr add " + node_v4 + "/32 dev lo\naddr add " + node_v6 + "/128 dev lo nodad\n");
        wait_for_address(other.netns, node_v6);
    }

    LocalNode node;
    LocalGateway gateway{node, "gateway", "80:9080, 80:9080/udp"};
    Pod other{node, {.name = "other"}};
    Pod plain{node, {.name = "plain"}};
};

std::string tcp(const Pod& from, const std::string& address, const DialOptions& options = {})
{
    return name_in(ask_tcp(from.netns, {address, 80}, options));
}

std::string udp(const Pod& from, const std::string& address, const DialOptions& options = {})
{
    return name_in(ask_udp(from.netns, {address, 80}, options));
}

}  // namespace

TEST_CASE("a pod that has the node's address reaches itself by it", "[local][own]")
{
    NamespaceScene scene;
    const Stay stay(scene.node.cgroup, processes);
    for (const std::string& address : own_names) {
        CAPTURE(address);
        CHECK(tcp(scene.other, address) == "refused");  // nobody there
        CHECK(udp(scene.other, address) == "refused");
        CHECK(tcp(scene.plain, address) == "gateway");
        CHECK(udp(scene.plain, address) == "gateway");
        CHECK(tcp(scene.gateway.pod, address) == "gateway");
    }
    const TcpServer own_tcp(scene.other.netns, "own", {"::", 80});
    const UdpServer own_udp(scene.other.netns, "own", {"::", 80});
    for (const std::string& address : own_names) {
        CAPTURE(address);
        CHECK(tcp(scene.other, address) == "own");
        CHECK(udp(scene.other, address) == "own");
    }
    const DialOptions from_itself{.source = Target{node_v4, 0}};
    CHECK(tcp(scene.other, node_v4, from_itself) == "own");
    CHECK(udp(scene.other, node_v4, from_itself) == "own");
}

TEST_CASE("a pod whose lo was left down reaches itself through its node port", "[local][own]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080, 80:9080/udp");
    gateway.pod.netns.ip("link set lo down\n");
    gateway.listen();
    require_ok(gateway.pod.add());
    const Stay stay(node.cgroup, processes);
    for (const std::string& address : own_names) {
        CAPTURE(address);
        CHECK(tcp(gateway.pod, address) == "gateway");
        CHECK(udp(gateway.pod, address) == "gateway");
    }
    require_ok(gateway.pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a pod that listens on the same port, and hasn't the node's address, reaches the gateway", "[local][own]")
{
    NamespaceScene scene;
    const TcpServer own_tcp(scene.plain.netns, "own", {"::", 80});
    const UdpServer own_udp(scene.plain.netns, "own", {"::", 80});
    const Stay stay(scene.node.cgroup, processes);
    for (const std::string& address : own_names) {
        CAPTURE(address);
        CHECK(tcp(scene.plain, address) == "gateway");
        CHECK(udp(scene.plain, address) == "gateway");
    }
}

TEST_CASE("to be asked changes nothing about a socket: its source is as it was", "[local][own]")
{
    NamespaceScene scene;
    scene.plain.netns.ip("addr add 10.1.99.1/32 dev lo\naddr add fd00:10:1::99:1/128 dev lo nodad\n");
    wait_for_address(scene.plain.netns, "fd00:10:1::99:1");
    scene.node.host.ip("route add 10.1.99.1/32 via " + scene.plain.v4 + " dev " +
                       scene.plain.primary_result.at("interfaces").at(0).at("name").get<std::string>() + " onlink\n");
    const Stay stay(scene.node.cgroup, processes);
    CHECK(ask_tcp(scene.plain.netns, {node_v4, 80}) == "gateway " + scene.plain.v4);
    CHECK(ask_tcp(scene.plain.netns, {node_v6, 80}) == "gateway " + scene.plain.v6);
    CHECK(ask_tcp(scene.plain.netns, {node_v4, 80}, {.source = Target{"10.1.99.1", 0}}) == "gateway 10.1.99.1");
    SECTION("also where a socket may be bound to any address")
    {
        scene.plain.netns.set_sysctl("net/ipv4/ip_nonlocal_bind", "1");
        scene.plain.netns.set_sysctl("net/ipv6/ip_nonlocal_bind", "1");
        CHECK(ask_tcp(scene.plain.netns, {node_v4, 80}) == "gateway " + scene.plain.v4);
        CHECK(ask_tcp(scene.plain.netns, {node_v6, 80}) == "gateway " + scene.plain.v6);
        CHECK(ask_udp(scene.plain.netns, {node_v4, 80}).starts_with("gateway " + scene.plain.v4));
        CHECK(ask_tcp(scene.plain.netns, {node_v4, 80}, {.source = Target{"10.1.99.1", 0}}) == "gateway 10.1.99.1");
    }
}

TEST_CASE("a datagram without connect() reaches what is bound to that address in its own namespace", "[local][own]")
{
    NamespaceScene scene;
    std::optional<UdpServer> v4(std::in_place, scene.other.netns, "own", Target{node_v4, 80});
    std::optional<UdpServer> v6(std::in_place, scene.other.netns, "own", Target{node_v6, 80});
    const Stay stay(scene.node.cgroup, processes);
    CHECK(name_in(DatagramSocket(scene.other.netns, AF_INET).ask({node_v4, 80}).text) == "own");
    CHECK(name_in(DatagramSocket(scene.other.netns, AF_INET6).ask({node_v6, 80}).text) == "own");
    CHECK(name_in(DatagramSocket(scene.other.netns, AF_INET6).ask({"::ffff:" + node_v4, 80}).text) == "own");
    CHECK(name_in(DatagramSocket(scene.plain.netns, AF_INET).ask({node_v4, 80}).text) == "gateway");
}
