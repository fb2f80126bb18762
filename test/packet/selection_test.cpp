// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pod gets a new connection, and which keep theirs.
#include "icmp_error.hpp"
#include "real_connection.hpp"

#include <algorithm>
#include <map>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// Three pods behind port 80, by age; who listens is the test's affair.
struct ThreePods
{
    Programs programs;
    TestPod youngest{9, "10.0.0.9", "fd00::9"};
    TestPod middle{8, "10.0.0.8", "fd00::8"};
    TestPod oldest{7, "10.0.0.7", "fd00::7"};

    void expose(Kind kind, const std::vector<const TestPod*>& pods, abi::share share = abi::SHARE_NEWEST)
    {
        programs.expose(node_at(kind), kind.protocol, pods, share);
    }

    void expose_all(Kind kind, abi::share share = abi::SHARE_NEWEST)
    {
        expose(kind, {&youngest, &middle, &oldest}, share);
    }

    /// Does a packet of this client go to the pod?
    void check_goes_to(const TestPod& pod, Kind kind, std::uint16_t client_port, unsigned flags = tcp_flag::syn)
    {
        const Packet packet = with_flags(request(kind, client_port), flags);
        check_translated(programs.ingress(packet), to(packet, pod.at(kind)));
    }
};

}  // namespace

PACKET_CASE("node_ingress", "the youngest pod that listens is chosen", every_kind)
{
    ThreePods pods;
    pods.expose_all(kind);
    const UniqueFd old_one = pods.oldest.listen(kind);
    pods.check_goes_to(pods.oldest, kind, 40001);
    UniqueFd young_one = pods.youngest.listen(kind);
    pods.check_goes_to(pods.youngest, kind, 40002);
    const UniqueFd middle_one = pods.middle.listen(kind);
    pods.check_goes_to(pods.youngest, kind, 40003);
    young_one = UniqueFd();
    pods.check_goes_to(pods.middle, kind, 40004);
}

PACKET_CASE("node_ingress", "a connection is found whatever is guessed of its pod", every_kind)
{
    ThreePods pods;
    pods.expose_all(kind);
    UniqueFd listener = pods.oldest.listen(kind);
    open_flow(pods.programs, pods.oldest, kind, 40001);
    listener = pods.youngest.listen(kind);
    open_flow(pods.programs, pods.youngest, kind, 40002);
    for (const unsigned guess : {0u, 1u, 2u, 3u, 15u, 16u, 255u}) {
        abi::guess_row row{};
        std::fill(std::begin(row.places), std::end(row.places), static_cast<__u8>(guess));
        for (std::uint32_t number = 0; number < abi::GUESS_ROWS; number++)
            pods.programs.guesses.put(number, row);
        INFO("place " << guess);
        for (int i = 0; i < 2; i++) {
            pods.check_goes_to(pods.oldest, kind, 40001, tcp_flag::ack);
            pods.check_goes_to(pods.youngest, kind, 40002, tcp_flag::ack);
        }
    }
}

PACKET_CASE("node_ingress", "where nobody is known to serve, the youngest gets the packet, and answers for itself",
            every_kind)
{
    ThreePods pods;
    pods.expose_all(kind, GENERATE(abi::SHARE_NEWEST, abi::SHARE_SPREAD));
    const UniqueFd elsewhere = pods.oldest.listen(kind, 9081);
    const UniqueFd other_protocol = pods.oldest.listen({kind.v6, static_cast<std::uint8_t>(kind.tcp() ? 17 : 6)});
    const UniqueFd loopback =
        bound_socket(pods.oldest.netns, {kind.v6 ? "::1" : "127.0.0.1", 9080}, kind.tcp() ? SOCK_STREAM : SOCK_DGRAM);
    pods.check_goes_to(pods.youngest, kind, 40001);
    check_translated(pods.programs.egress(refusal(pods.youngest, kind, 40001)), refusal_by_node(kind, 40001));
    pods.check_goes_to(pods.middle, kind, 40002);  // nobody has asked this one yet
}

PACKET_CASE("node_ingress", "a listener at the pod's address, or at IPv4 and IPv6 at once, is one", every_kind)
{
    OneGateway gateway(kind);
    gateway.listener = UniqueFd();
    const int type = kind.tcp() ? SOCK_STREAM : SOCK_DGRAM;
    gateway.listener = bound_socket(gateway.pod.netns, gateway.pod.at(kind), type);
    check_translated(gateway.programs.ingress(request(kind, 40001)), to(request(kind, 40001), gateway.pod.at(kind)));
    gateway.listener = UniqueFd();
    gateway.listener = bound_socket(gateway.pod.netns, {"::", 9080}, type);
    check_translated(gateway.programs.ingress(request(kind, 40002)), to(request(kind, 40002), gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "a datagram socket that is connected to somebody takes nobody else's", over_udp)
{
    ThreePods pods;
    pods.expose_all(kind);
    const UniqueFd connected = pods.youngest.listen(kind);
    const UniqueFd listener = pods.oldest.listen(kind);
    const SocketAddress peer(client_at(kind, 5353));
    REQUIRE(connect(connected.get(), peer.raw(), peer.size) == 0);
    pods.check_goes_to(pods.oldest, kind, 40001);
}

PACKET_CASE("node_ingress", "a retransmitted SYN, or a flow's next datagram, stays with the pod that answered",
            every_kind)
{
    ThreePods pods;
    pods.expose(kind, {&pods.oldest});
    const UniqueFd old_one = pods.oldest.listen(kind);
    pods.check_goes_to(pods.oldest, kind, 40001);
    pods.programs.egress(reply(pods.oldest, kind, 40001));
    pods.expose_all(kind);
    const UniqueFd young_one = pods.youngest.listen(kind);
    pods.check_goes_to(pods.oldest, kind, 40001);
    pods.check_goes_to(pods.youngest, kind, 40002);
    CHECK(pods.programs.traffic(node_at(kind), kind.protocol).packets[abi::FROM_CLIENT] == 2);
}

PACKET_CASE("node_ingress", "a connection stays with the pod that closed its listener", every_kind)
{
    ThreePods pods;
    pods.expose_all(kind);
    const UniqueFd old_one = pods.oldest.listen(kind);
    UniqueFd young_one = pods.youngest.listen(kind);
    open_flow(pods.programs, pods.youngest, kind);
    young_one = UniqueFd();
    pods.check_goes_to(pods.youngest, kind, 40000, tcp_flag::ack);
    pods.check_goes_to(pods.oldest, kind, 40001);
}

PACKET_CASE("node_ingress", "a SYN that was never answered goes on to the next pod, and the rest with it", over_tcp)
{
    ThreePods pods;
    pods.expose_all(kind);
    const UniqueFd old_one = pods.oldest.listen(kind);
    UniqueFd young_one = pods.youngest.listen(kind);
    pods.check_goes_to(pods.youngest, kind, 40000);
    young_one = UniqueFd();
    open_flow(pods.programs, pods.oldest, kind);
    pods.check_goes_to(pods.oldest, kind, 40000, tcp_flag::ack);
    CHECK(pods.programs.lasting(kind.protocol).find(flow_key_of(pods.oldest.at(kind), client_at(kind), kind.protocol)));
}

PACKET_CASE("node_ingress", "a SYN on a closed connection chooses anew, and the rest follows it", over_tcp)
{
    ThreePods pods;
    pods.expose_all(kind);
    const UniqueFd old_one = pods.oldest.listen(kind);
    UniqueFd young_one = pods.youngest.listen(kind);
    open_flow(pods.programs, pods.youngest, kind);
    SECTION("closed by FINs")
    {
        pods.programs.ingress(with_flags(request(kind), tcp_flag::ack | tcp_flag::fin));
        pods.programs.egress(with_flags(reply(pods.youngest, kind), tcp_flag::ack | tcp_flag::fin));
    }
    SECTION("closed by the client's RST")
    {
        pods.programs.ingress(with_flags(request(kind), tcp_flag::rst));
    }
    SECTION("closed by the pod's RST")
    {
        pods.programs.egress(with_flags(reply(pods.youngest, kind), tcp_flag::rst));
    }
    pods.check_goes_to(pods.youngest, kind, 40000, tcp_flag::ack);  // the last words of a connection go where it went
    young_one = UniqueFd();
    open_flow(pods.programs, pods.oldest, kind);
    pods.check_goes_to(pods.oldest, kind, 40000, tcp_flag::ack);
}

PACKET_CASE("node_ingress", "a SYN on a connection that is half closed does not", over_tcp)
{
    ThreePods pods;
    pods.expose_all(kind);
    const UniqueFd old_one = pods.oldest.listen(kind);
    open_flow(pods.programs, pods.oldest, kind);
    RealConnection connection(pods.oldest, old_one, kind);
    connection.client.finish();
    pods.programs.ingress(with_flags(request(kind), tcp_flag::ack | tcp_flag::fin));
    const UniqueFd young_one = pods.youngest.listen(kind);
    pods.check_goes_to(pods.oldest, kind, 40000);
}

PACKET_CASE("node_ingress", "spread: every pod that listens gets its share, and only the one that goes loses it",
            every_kind)
{
    ThreePods pods;
    pods.expose_all(kind, abi::SHARE_SPREAD);
    const UniqueFd old_one = pods.oldest.listen(kind);
    const UniqueFd middle_one = pods.middle.listen(kind);
    UniqueFd young_one = pods.youngest.listen(kind);

    constexpr std::uint16_t clients = 300;
    const auto pods_of_clients = [&] {
        pods.programs.clear_flows();
        std::map<std::uint16_t, const TestPod*> chosen;
        for (std::uint16_t i = 0; i < clients; i++) {
            const Packet packet = request(kind, static_cast<std::uint16_t>(40000 + i));
            const Outcome outcome = pods.programs.ingress(packet);
            for (const TestPod* pod : {&pods.youngest, &pods.middle, &pods.oldest})
                if (outcome.out == to(packet, pod->at(kind)).bytes())
                    chosen[i] = pod;
        }
        return chosen;
    };
    const auto before = pods_of_clients();
    REQUIRE(before.size() == clients);
    std::map<const TestPod*, int> shares;
    for (const auto& [client, pod] : before)
        shares[pod]++;
    for (const TestPod* pod : {&pods.youngest, &pods.middle, &pods.oldest})
        CHECK(shares[pod] > clients / 5);  // a third, less five times the standard deviation

    young_one = UniqueFd();
    const auto after = pods_of_clients();
    REQUIRE(after.size() == clients);
    for (const auto& [client, pod] : before) {
        if (pod == &pods.youngest)
            CHECK(after.at(client) != &pods.youngest);
        else
            CHECK(after.at(client) == pod);
    }
}

PACKET_CASE("node_ingress", "sixteen pods behind a port: the last is found", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const UniqueFd listener = pod.listen(kind);
    std::vector<const TestPod*> pods(1, &pod);
    programs.expose(node_at(kind), kind.protocol, pods);
    abi::node_port port = programs.node_ports.find(endpoint_of(node_at(kind), kind.protocol)).value();
    port.count = abi::MAX_BACKENDS;
    std::swap(port.backends[0], port.backends[abi::MAX_BACKENDS - 1]);
    for (std::uint8_t i = 0; i + 1 < abi::MAX_BACKENDS; i++) {
        port.backends[i] = port.backends[abi::MAX_BACKENDS - 1];
        port.backends[i].address.bytes[15] = static_cast<std::uint8_t>(100 + i);
        port.backends[i].port = htons(9000);
    }
    port.backends[0].share = GENERATE(abi::SHARE_NEWEST, abi::SHARE_SPREAD);
    programs.node_ports.put(endpoint_of(node_at(kind), kind.protocol), port);
    open_flow(programs, pod, kind);
}
