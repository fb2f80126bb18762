// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the node's own sockets and its pods' are given is theirs: no other process takes it from them, and a pod that
// closed its socket doesn't keep it.
#include "support/local_node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

const Target asked{node_v4, 80};

/// Two gateways that serve, and a pod that is none.
struct TwoLocalGateways
{
    TwoLocalGateways()
    {
        old.listen();
        young.listen();
        require_ok(old.pod.add());
        require_ok(young.pod.add());
    }

    LocalNode node;
    LocalGateway old{node, "old", "80:9080/udp"};
    LocalGateway young{node, "young", "80:9080/udp"};
    Pod other{node, {.name = "other"}};
};

/// UDP sockets that are connected to it, and closed, one after the other. How many couldn't be.
int connect_many(const Namespace& netns, const Target& target, int count)
{
    return netns.run([&] {
        const SocketAddress address(target);
        int failed = 0;
        for (int i = 0; i < count; i++) {
            const sallyport::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            failed += ::connect(socket.get(), address.raw(), address.size) == 0 ? 0 : 1;
        }
        return failed;
    });
}

}  // namespace

TEST_CASE("45,000 connections of one process take nothing from another one's sockets", "[local]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080, 80:9080/udp");
    const Pod other(node, {.name = "other"});
    gateway.listen();
    require_ok(gateway.pod.add());
    const Namespace& from = GENERATE(false, true) ? other.netns : node.host;
    const Stay stay(node.cgroup, processes);

    const Connection connection(from, asked);
    const DatagramSocket socket(from, AF_INET);
    REQUIRE(socket.send(asked));
    CHECK(connect_many(node.host, asked, 45'000) == 0);
    const auto answer = socket.receive();
    CHECK(name_in(answer.text) == "gateway");
    CHECK(answer.from == asked);
    CHECK(peer_of(connection.fd()) == asked);
}

TEST_CASE("one socket keeps several node ports apart", "[local]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080/udp, 8001:9080/udp, 8002:9080/udp");
    gateway.listen();
    require_ok(gateway.pod.add());
    const Stay stay(node.cgroup, processes);
    const DatagramSocket socket(node.host, AF_INET);
    for (const std::string address : {"127.0.0.1", "192.168.100.1"})
        for (const std::uint16_t port : {80, 8001, 8002, 80}) {
            const Target target{address, port};
            CAPTURE(target.to_string());
            CHECK(socket.ask(target).from == target);
        }
}

TEST_CASE("datagrams without connect() leave a pod that closed its socket", "[local]")
{
    TwoLocalGateways gateways;
    const bool from_pod = GENERATE(false, true);
    const Namespace& from = from_pod ? gateways.other.netns : gateways.node.host;
    const Stay stay(gateways.node.cgroup, processes);

    // From another namespace nobody can look whether a pod listens; it is the youngest that is asked first.
    const DatagramSocket socket(from, AF_INET);
    REQUIRE(name_in(socket.ask(asked).text) == "young");
    gateways.young.close();
    std::string heard = name_in(socket.ask(asked, 1500ms).text);
    if (heard == "silence")  // the one loss that a sender outside has too
        heard = name_in(socket.ask(asked).text);
    CHECK(heard == "old");
    CHECK(name_in(socket.ask(asked).text) == "old");
}

TEST_CASE("a datagram socket that sends without waiting keeps its pod over a silence", "[local]")
{
    TwoLocalGateways gateways;
    const Stay stay(gateways.node.cgroup, processes);

    const DatagramSocket socket(gateways.other.netns, AF_INET);
    REQUIRE(socket.send(asked));
    REQUIRE(socket.send(asked));
    REQUIRE(name_in(socket.receive().text) == "young");
    REQUIRE(name_in(socket.receive().text) == "young");
    gateways.young.udp.reset();  // what is sent now isn't answered, as an acknowledgement of QUIC's isn't
    REQUIRE(socket.send(asked));
    gateways.young.udp.emplace(gateways.young.pod.netns, "young", Target{"::", 9080});
    CHECK(socket.receive(1500ms).text == "silence");
    CHECK(name_in(socket.ask(asked).text) == "young");
}
