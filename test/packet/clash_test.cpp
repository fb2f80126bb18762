// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One client port towards two ends that are the same backend: the later connection is shown to the pod under another
// client port, and both work.
#include "fixture.hpp"
#include "real_connection.hpp"

#include <poll.h>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// Two node ports, 80 and 8080, of one pod.
struct TwoPorts : OneGateway
{
    explicit TwoPorts(Kind kind) : OneGateway(kind), other_port(node_at(kind, 8080))
    {
        programs.expose(other_port, kind.protocol, {&pod});
    }

    Target other_port;
};

/// What goes on in a connection after its first packet, in both directions. `shown` is the client's port in the pod.
void check_goes_on(const OneGateway& gateway, Kind kind, const Target& asked, std::uint16_t shown,
                   std::uint16_t client_port = 40000)
{
    const Packet in = to(with_flags(request(kind, client_port), tcp_flag::ack), asked);
    const Target shown_client = client_at(kind, shown);
    check_translated(gateway.programs.ingress(in), to(from(in, shown_client), gateway.pod.at(kind)));
    const Packet out = with_flags(reply(gateway.pod, kind, shown), tcp_flag::ack);
    check_translated(gateway.programs.egress(out), to(from(out, asked), client_at(kind, client_port)));
}

/// Its beginning: the first packet and the pod's answer, then some more. Returns the port that the pod saw.
std::uint16_t open_clashing(const OneGateway& gateway, Kind kind, const Target& asked,
                            std::uint16_t client_port = 40000)
{
    const Packet in = to(request(kind, client_port), asked);
    const std::uint16_t shown = check_shown_otherwise(gateway.programs.ingress(in), in, gateway.pod.at(kind));
    const Packet out = reply(gateway.pod, kind, shown);
    check_translated(gateway.programs.egress(out), to(from(out, asked), client_at(kind, client_port)));
    check_goes_on(gateway, kind, asked, shown, client_port);
    return shown;
}

/// A client that talks to the pod itself: a connection (TCP), or a datagram that came by (UDP).
struct DirectClient
{
    DirectClient(const OneGateway& gateway, Kind kind) : kind_(kind)
    {
        if (kind.tcp())
            connection.emplace(gateway, kind);
        else
            check_goes_on(gateway);
    }

    void check_goes_on(const OneGateway& gateway) const
    {
        const Packet in = to(with_flags(request(kind_), tcp_flag::ack), gateway.pod.at(kind_));
        check_untouched(gateway.programs.ingress(in), in);
        const Packet out = with_flags(reply(gateway.pod, kind_), tcp_flag::ack);
        check_untouched(gateway.programs.egress(out), out);
    }

    std::optional<RealConnection> connection{};

private:
    Kind kind_;
};

}  // namespace

PACKET_CASE("node_ingress", "a second node port's flow from the same client port gets another one", every_kind)
{
    const TwoPorts gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, gateway.other_port);
    check_goes_on(gateway, kind, gateway.node_port, 40000);
    check_goes_on(gateway, kind, gateway.other_port, shown);
    CHECK(gateway.programs.drops(abi::DROP_CLASH) == 0);
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);
    CHECK(gateway.programs.traffic(gateway.other_port, kind.protocol).connections == 1);
    CHECK(gateway.programs.traffic(gateway.other_port, kind.protocol).packets[abi::FROM_POD] == 3);
}

PACKET_CASE("node_ingress", "the first packet of both, before any answer: each keeps its own", every_kind)
{
    const TwoPorts gateway(kind);
    const Packet first = request(kind);
    const Packet second = to(request(kind), gateway.other_port);
    check_translated(gateway.programs.ingress(first), to(first, gateway.pod.at(kind)));
    const std::uint16_t shown = check_shown_otherwise(gateway.programs.ingress(second), second, gateway.pod.at(kind));
    // Sent again, they go the same way.
    check_translated(gateway.programs.ingress(first), to(first, gateway.pod.at(kind)));
    CHECK(check_shown_otherwise(gateway.programs.ingress(second), second, gateway.pod.at(kind)) == shown);
    check_goes_on(gateway, kind, gateway.other_port, shown);
    check_goes_on(gateway, kind, gateway.node_port, 40000);
    CHECK(gateway.programs.clashes.all().size() == 1);
}

PACKET_CASE("node_ingress", "once the first has ended, its client port is free for the next", over_tcp)
{
    TwoPorts gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, gateway.other_port);
    for (const Target& end : {gateway.node_port, gateway.other_port})
        gateway.programs.ingress(to(with_flags(request(kind), tcp_flag::rst), end));

    const Packet in = to(request(kind), gateway.other_port);
    check_translated(gateway.programs.ingress(in), to(in, gateway.pod.at(kind)));
    check_goes_on(gateway, kind, gateway.other_port, 40000);
    // What the old one left behind does no harm, also where the new one's entry is lost.
    CHECK(gateway.programs.clashes.all().empty());
    const RealConnection connection(gateway, kind);
    gateway.programs.clear_flows();
    check_goes_on(gateway, kind, gateway.other_port, 40000);
    CHECK_FALSE(gateway.programs.flow(flow_key_of(gateway.pod.at(kind), client_at(kind, shown), kind.protocol)));
}

PACKET_CASE("node_ingress", "what a clash left behind doesn't lead to whoever has that port now", every_kind)
{
    TwoPorts gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, gateway.other_port);
    gateway.programs.clear_flows();
    open_flow(gateway.programs, gateway.pod, kind, shown);  // the client's own port has that number

    const Packet in = to(request(kind), gateway.other_port);
    check_translated(gateway.programs.ingress(in), to(in, gateway.pod.at(kind)));
    check_goes_on(gateway, kind, gateway.other_port, 40000);
    check_goes_on(gateway, kind, gateway.node_port, shown, shown);
}

PACKET_CASE("node_ingress", "a client that also talks to the pod itself is shown under another port", every_kind)
{
    const OneGateway gateway(kind);
    const DirectClient direct(gateway, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, gateway.node_port);
    direct.check_goes_on(gateway);
    check_goes_on(gateway, kind, gateway.node_port, shown);
    CHECK(gateway.programs.drops(abi::DROP_CLASH) == 0);
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);
}

// The end of the one must not be taken for the end of the other.
PACKET_CASE("node_ingress", "a client that talks to the pod itself keeps its port, however often it comes anew",
            over_tcp)
{
    const OneGateway gateway(kind);
    const DirectClient direct(gateway, kind);
    for (int i = 0; i < 3; i++) {
        const std::uint16_t shown = open_clashing(gateway, kind, gateway.node_port);
        direct.check_goes_on(gateway);
        if (i == 0) {
            gateway.programs.ingress(with_flags(request(kind), tcp_flag::rst));
        } else {
            gateway.programs.ingress(with_flags(request(kind), tcp_flag::ack | tcp_flag::fin));
            gateway.programs.egress(with_flags(reply(gateway.pod, kind, shown), tcp_flag::ack | tcp_flag::fin));
        }
        direct.check_goes_on(gateway);
    }
}

PACKET_CASE("node_ingress", "a direct connection that is half closed still has its port", over_tcp)
{
    OneGateway gateway(kind);
    DirectClient direct(gateway, kind);
    SECTION("by the client")
    {
        direct.connection->client.finish();
        REQUIRE(wait_for(direct.connection->server.get(), POLLRDHUP, patience));
    }
    SECTION("by the pod")
    {
        REQUIRE(shutdown(direct.connection->server.get(), SHUT_WR) == 0);
        REQUIRE(wait_for(direct.connection->client.fd(), POLLRDHUP, patience));
    }
    open_clashing(gateway, kind, gateway.node_port);
    direct.check_goes_on(gateway);
}

PACKET_CASE("node_egress", "a direct connection beside a node port's flow is shown under another port", every_kind)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, gateway.pod.at(kind));
    const Packet again = to(request(kind), gateway.pod.at(kind));
    CHECK(check_shown_otherwise(gateway.programs.ingress(again), again, gateway.pod.at(kind)) == shown);
    check_goes_on(gateway, kind, gateway.node_port, 40000);
    check_goes_on(gateway, kind, gateway.pod.at(kind), shown);
    const abi::traffic traffic = gateway.programs.traffic(gateway.node_port, kind.protocol);
    CHECK(traffic.connections == 1);
    CHECK(traffic.packets[abi::FROM_POD] == 2);  // the direct ones aren't the node port's
}

PACKET_CASE("node_ingress", "a direct connection that was shown otherwise goes on after the node port's has ended",
            over_tcp)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, gateway.pod.at(kind));
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::rst));
    check_goes_on(gateway, kind, gateway.pod.at(kind), shown);
    // A new one of the node port has the port for itself.
    open_flow(gateway.programs, gateway.pod, kind);
    check_goes_on(gateway, kind, gateway.pod.at(kind), shown);
}

PACKET_CASE("node_ingress", "a direct connection that was shown otherwise leaves nothing to the next one", over_tcp)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    open_clashing(gateway, kind, gateway.pod.at(kind));
    for (const Target& end : {gateway.node_port, gateway.pod.at(kind)})
        gateway.programs.ingress(to(with_flags(request(kind), tcp_flag::rst), end));

    const Packet first = to(request(kind), gateway.pod.at(kind));
    check_untouched(gateway.programs.ingress(first), first);
    check_untouched(gateway.programs.egress(reply(gateway.pod, kind)), reply(gateway.pod, kind));
    const Packet next = with_flags(first, tcp_flag::ack);
    check_untouched(gateway.programs.ingress(next), next);
    CHECK(gateway.programs.clashes.all().empty());
}

PACKET_CASE("node_ingress", "three at once from one client port", every_kind)
{
    const TwoPorts gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t second = open_clashing(gateway, kind, gateway.other_port);
    const std::uint16_t third = open_clashing(gateway, kind, gateway.pod.at(kind));
    CHECK(second != third);
    check_goes_on(gateway, kind, gateway.node_port, 40000);
    check_goes_on(gateway, kind, gateway.other_port, second);
    check_goes_on(gateway, kind, gateway.pod.at(kind), third);
}

PACKET_CASE("node_ingress", "flows that clash are found again after their entries were lost", over_tcp)
{
    TwoPorts gateway(kind);
    const bool direct = GENERATE(false, true);
    const Target second = direct ? gateway.pod.at(kind) : gateway.other_port;
    open_flow(gateway.programs, gateway.pod, kind);
    const std::uint16_t shown = open_clashing(gateway, kind, second);
    const RealConnection first_connection(gateway, kind);
    const RealConnection second_connection(gateway, kind, shown);
    const bool second_first = GENERATE(false, true);

    gateway.programs.clear_flows();
    if (second_first)
        check_goes_on(gateway, kind, second, shown);
    check_goes_on(gateway, kind, gateway.node_port, 40000);
    check_goes_on(gateway, kind, second, shown);
    check_goes_on(gateway, kind, gateway.node_port, 40000);
}

PACKET_CASE("node_ingress", "where every port that is tried is taken, the connection is dropped, and counted",
            every_kind)
{
    const bool direct = GENERATE(false, true);
    OneGateway gateway(kind, {.established = 1 << 17, .answered = 1 << 17});
    const Target other_port = node_at(kind, 8080);
    gateway.programs.expose(other_port, kind.protocol, {&gateway.pod});
    open_flow(gateway.programs, gateway.pod, kind);
    abi::flow_key key = flow_key_of(gateway.pod.at(kind), client_at(kind), kind.protocol);
    const abi::flow entry = gateway.programs.flow(key).value();
    for (unsigned port = 1024; port < 65536; port++) {
        key.client_port = htons(static_cast<std::uint16_t>(port));
        gateway.programs.lasting(kind.protocol).put(key, entry);
    }

    check_dropped(gateway.programs.ingress(to(request(kind), direct ? gateway.pod.at(kind) : other_port)));
    CHECK(gateway.programs.drops(abi::DROP_CLASH) == 1);
    const auto events = gateway.programs.events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == abi::EVENT_DROP);
    CHECK(events[0].reason == abi::DROP_CLASH);
    check_endpoint(events[0].node_port, direct ? gateway.pod.at(kind) : other_port, kind.protocol);
    check_endpoint(events[0].peer, client_at(kind), kind.protocol);
    CHECK(gateway.programs.traffic(other_port, kind.protocol).connections == 0);
    CHECK(gateway.programs.clashes.all().empty());
    check_goes_on(gateway, kind, gateway.node_port, 40000);
}
