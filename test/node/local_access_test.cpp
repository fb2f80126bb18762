// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `localAccess`: the node's own processes, its pods, and a gateway itself reach node ports, and are shown what they
// asked for.
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <poll.h>

#include <memory>
#include <set>

using namespace sallyport::test;

namespace {

/// Every spelling of "this node" that a process of the host may use.
const std::vector<std::string> names_of_host{
    "127.0.0.1", "0.0.0.0",           "::1",      "::",      "::ffff:127.0.0.1", node_v4,
    node_v6,     "::ffff:" + node_v4, virtual_v4, virtual_v6};

/// Those that mean the same in every namespace.
const std::vector<std::string> names_of_node{node_v4, node_v6, "::ffff:" + node_v4, virtual_v4, virtual_v6};

int family_of(const Target& target)
{
    return SocketAddress(target).storage.ss_family;
}

/// What the address reads as when the kernel shows it: IPv4 where it is v4-mapped.
Target as_shown(const Target& target)
{
    return SocketAddress(target).target();
}

/// One gateway that listens behind port 80, TCP and UDP; and a pod that is none.
struct LocalScene
{
    LocalScene()
    {
        node.plugin["addresses"] = {virtual_v4 + "/32", virtual_v6 + "/128"};
        gateway.listen();
        require_ok(gateway.pod.add());
    }

    LocalNode node;
    LocalGateway gateway{node, "gateway", "80:9080, 80:9080/udp"};
    Pod other{node, {.name = "other"}};
};

/// Everything that there is to ask at an address, from a namespace.
void check_reached(const Namespace& from, const Target& target)
{
    CAPTURE(target.to_string());
    CHECK(name_in(ask_tcp(from, target)) == "gateway");
    CHECK(name_in(ask_udp(from, target)) == "gateway");
    const auto datagram = DatagramSocket(from, family_of(target)).ask(target);
    CHECK(name_in(datagram.text) == "gateway");
    CHECK(datagram.from == as_shown(target));
}

}  // namespace

TEST_CASE("processes of the node reach node ports by every address of it", "[local]")
{
    LocalScene scene;
    const Stay stay(scene.node.cgroup, processes);
    for (const std::string& address : names_of_host)
        check_reached(scene.node.host, {address, 80});
    CHECK(ask_tcp(scene.node.host, {"127.0.0.1", 81}) == "refused");
    CHECK(ask_tcp(scene.node.host, {"127.0.0.1", 9080}) == "refused");
    CHECK(ask_tcp(scene.node.host, {client_v4, 80}) == "refused");  // not the node's
}

TEST_CASE("pods reach node ports by the node's addresses, the gateway itself too", "[local]")
{
    LocalScene scene;
    const Namespace& from = GENERATE(false, true) ? scene.gateway.pod.netns : scene.other.netns;
    const Stay stay(scene.node.cgroup, processes);
    for (const std::string& address : names_of_node)
        check_reached(from, {address, 80});
}

TEST_CASE("another namespace's own localhost is its own", "[local]")
{
    LocalScene scene;
    const Stay stay(scene.node.cgroup, processes);
    for (const std::string address : {"127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"}) {
        CAPTURE(address);
        CHECK(ask_tcp(scene.other.netns, {address, 80}) == "refused");
        CHECK(ask_udp(scene.other.netns, {address, 80}) == "refused");
    }
    TcpServer own(scene.other.netns, "own", {"::", 80});
    CHECK(name_in(ask_tcp(scene.other.netns, {"127.0.0.1", 80})) == "own");
    CHECK(name_in(ask_tcp(scene.other.netns, {"::1", 80})) == "own");
    CHECK(name_in(ask_tcp(scene.other.netns, {node_v4, 80})) == "gateway");
}

TEST_CASE("a program is shown the address that it asked for, and a direct connection's own", "[local]")
{
    LocalScene scene;
    const Stay stay(scene.node.cgroup, processes);
    for (const std::string& address : names_of_host) {
        const Target target{address, 80};
        CAPTURE(address);
        const Connection connection(scene.node.host, target);
        CHECK(peer_of(connection.fd()) == as_shown(target));

        const sallyport::UniqueFd datagrams = open_socket(scene.node.host, family_of(target), SOCK_DGRAM);
        const SocketAddress to(target);
        REQUIRE(connect(datagrams.get(), to.raw(), to.size) == 0);
        CHECK(peer_of(datagrams.get()) == as_shown(target));
        CHECK(send(datagrams.get(), "who", 3, 0) == 3);
        REQUIRE(wait_for(datagrams.get(), POLLIN, patience));
        SocketAddress from;
        char answer[256];
        CHECK(recvfrom(datagrams.get(), answer, sizeof answer, 0, from.raw(), &from.size) > 0);
        CHECK(from.target() == as_shown(target));
        CHECK(peer_of(datagrams.get()) == as_shown(target));  // after a datagram, too
        // Connected anew, to the pod itself.
        const Target direct{family_of(as_shown(target)) == AF_INET ? scene.gateway.pod.v4 : scene.gateway.pod.v6, 9080};
        const SocketAddress to_pod(family_of(target) == AF_INET6 && family_of(direct) == AF_INET
                                       ? Target{"::ffff:" + direct.address, direct.port}
                                       : direct);
        REQUIRE(connect(datagrams.get(), to_pod.raw(), to_pod.size) == 0);
        CHECK(peer_of(datagrams.get()) == direct);
    }
    const Connection direct(scene.node.host, {scene.gateway.pod.v4, 9080});
    CHECK(peer_of(direct.fd()) == Target{scene.gateway.pod.v4, 9080});
    const DatagramSocket socket(scene.node.host, AF_INET);
    CHECK(socket.ask({node_v4, 80}).from == Target{node_v4, 80});
    CHECK(socket.ask({scene.gateway.pod.v4, 9080}).from == Target{scene.gateway.pod.v4, 9080});
}

TEST_CASE("of loopback, 127.0.0.1 and ::1 alone are the node's: 127.0.0.53 is systemd-resolved's", "[local]")
{
    LocalScene scene;
    const std::string address = GENERATE("127.0.0.53", "127.0.1.1", "127.255.255.254");
    CAPTURE(address);
    {
        const Stay stay(scene.node.cgroup, processes);
        CHECK(ask_tcp(scene.node.host, {address, 80}) == "refused");
        CHECK(ask_udp(scene.node.host, {address, 80}) == "refused");
        CHECK(ask_tcp(scene.node.host, {"::ffff:" + address, 80}) == "refused");
    }
    const TcpServer tcp(scene.node.host, "theirs", {address, 80});
    const UdpServer udp(scene.node.host, "theirs", {address, 80});
    const Stay stay(scene.node.cgroup, processes);
    CHECK(name_in(ask_tcp(scene.node.host, {address, 80})) == "theirs");
    CHECK(name_in(ask_udp(scene.node.host, {address, 80})) == "theirs");
    CHECK(name_in(DatagramSocket(scene.node.host, AF_INET).ask({address, 80}).text) == "theirs");
    CHECK(name_in(ask_tcp(scene.node.host, {"127.0.0.1", 80})) == "gateway");
}

TEST_CASE("a socket that is bound to loopback stays on it", "[local]")
{
    LocalScene scene;
    const Stay stay(scene.node.cgroup, processes);
    CHECK(ask_tcp(scene.node.host, {"127.0.0.1", 80}, {.source = Target{"127.0.0.1", 0}}) == "refused");
    CHECK(ask_tcp(scene.node.host, {"::1", 80}, {.source = Target{"::1", 0}}) == "refused");
    CHECK(ask_udp(scene.node.host, {"127.0.0.1", 80}, {.source = Target{"127.0.0.1", 0}}) == "refused");
}

TEST_CASE("an exact hostIP is reached at that address, and at no other", "[local]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", node_v4 + ":80:9080");
    gateway.listen();
    require_ok(gateway.pod.add());
    const Stay stay(node.cgroup, processes);
    CHECK(name_in(ask_tcp(node.host, {node_v4, 80})) == "gateway");
    CHECK(ask_tcp(node.host, {"127.0.0.1", 80}) == "refused");
    CHECK(ask_tcp(node.host, {node_v6, 80}) == "refused");
}

TEST_CASE("a new connection goes to the youngest pod that listens, a datagram socket keeps its own", "[local]")
{
    LocalNode node;
    LocalGateway old(node, "old", "80:9080, 80:9080/udp");
    LocalGateway young(node, "young", "80:9080, 80:9080/udp");
    const Stay stay(node.cgroup, processes);
    const auto answer = [&] { return name_in(ask_tcp(node.host, {"127.0.0.1", 80})); };
    const DatagramSocket socket(node.host, AF_INET);
    const auto datagram = [&] { return name_in(socket.ask({"127.0.0.1", 80}).text); };

    require_ok(old.pod.add());
    CHECK(answer() == "refused");
    old.listen();
    CHECK(answer() == "old");
    CHECK(datagram() == "old");
    require_ok(young.pod.add());
    CHECK(answer() == "old");
    Connection open(node.host, {"127.0.0.1", 80});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");

    young.listen();
    CHECK(answer() == "young");
    CHECK(datagram() == "old");
    CHECK(name_in(DatagramSocket(node.host, AF_INET).ask({"127.0.0.1", 80}).text) == "young");
    open.send("still there\n");
    CHECK(open.read_line() == "still there");

    young.close();
    CHECK(answer() == "old");
    young.listen();
    require_ok(old.pod.del());
    CHECK(answer() == "young");
    CHECK(datagram() == "young");
}

TEST_CASE("a datagram socket keeps its pod also where node port and container port are one number", "[local]")
{
    LocalNode node;
    node.plugin["gateways"]["ports"] = {9080};
    LocalGateway old(node, "old", "9080:9080/udp");
    LocalGateway young(node, "young", "9080:9080/udp");
    old.listen();
    require_ok(old.pod.add());
    const Stay stay(node.cgroup, processes);
    const DatagramSocket socket(node.host, AF_INET);
    CHECK(name_in(socket.ask({node_v4, 9080}).text) == "old");
    young.listen();
    require_ok(young.pod.add());
    const auto datagram = socket.ask({node_v4, 9080});
    CHECK(name_in(datagram.text) == "old");
    CHECK(datagram.from == Target{node_v4, 9080});
    CHECK(socket.ask({young.pod.v4, 9080}).from == Target{young.pod.v4, 9080});
}

TEST_CASE("pods are sent to the pod that was last seen to listen", "[local]")
{
    LocalNode node;
    LocalGateway old(node, "old", "80:9080");
    LocalGateway young(node, "young", "80:9080");
    Pod client(node, {.name = "client"});
    require_ok(old.pod.add());
    require_ok(young.pod.add());
    old.listen();
    const Stay stay(node.cgroup, processes);
    CHECK(name_in(ask_tcp(node.host, {node_v4, 80})) == "old");
    CHECK(name_in(ask_tcp(client.netns, {node_v4, 80})) == "old");
    young.listen();
    CHECK(name_in(ask_tcp(node.host, {node_v4, 80})) == "young");
    CHECK(name_in(ask_tcp(client.netns, {node_v4, 80})) == "young");
}

TEST_CASE("`spread` uses all pods from the node, too", "[local]")
{
    LocalNode node;
    std::vector<std::unique_ptr<LocalGateway>> gateways;
    for (const char* name : {"one", "two", "three"}) {
        gateways.push_back(std::make_unique<LocalGateway>(node, name, "80:9080", "spread"));
        gateways.back()->listen();
        require_ok(gateways.back()->pod.add());
    }
    const Stay stay(node.cgroup, processes);
    std::set<std::string> answered;
    for (int i = 0; i < 64; i++)  // that one is never chosen has a probability of 1.6e-11
        answered.insert(name_in(ask_tcp(node.host, {"127.0.0.1", 80})));
    CHECK(answered == std::set<std::string>{"one", "two", "three"});
}

TEST_CASE("local connections are counted", "[local]")
{
    LocalScene scene;
    const Stay stay(scene.node.cgroup, processes);
    ask_tcp(scene.node.host, {"127.0.0.1", 80});
    ask_tcp(scene.other.netns, {node_v4, 80});
    for (const auto& port : scene.node.status().at("nodePorts"))
        if (port.at("protocol") == "tcp" && port.at("address") == "0.0.0.0")
            CHECK(port.at("connectionsTotal") == 2);
}
