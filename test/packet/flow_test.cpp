// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// How flows are kept: tiers, states, healing, and what direct connections are spared.
#include "fixture.hpp"
#include "real_connection.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

abi::flow_key key_in(const OneGateway& gateway, Kind kind, std::uint16_t client_port = 40000)
{
    return flow_key_of(gateway.pod.at(kind), client_at(kind, client_port), kind.protocol);
}

bool is_new(const OneGateway& gateway, Kind kind)
{
    return gateway.programs.flows_new.find(key_in(gateway, kind)).has_value();
}

bool is_established(const OneGateway& gateway, Kind kind)
{
    return gateway.programs.lasting(kind.protocol).find(key_in(gateway, kind)).has_value();
}

unsigned state_of(const OneGateway& gateway, Kind kind)
{
    const auto flow = gateway.programs.flow(key_in(gateway, kind));
    REQUIRE(flow);
    return flow->state;
}

}  // namespace

PACKET_CASE("node_ingress", "a flood of first packets evicts no established flow", every_kind)
{
    const LoadOptions sizes{.fresh = 512, .established = 512, .answered = 512};
    const OneGateway gateway(kind, sizes);
    open_flow(gateway.programs, gateway.pod, kind);
    for (unsigned i = 0; i < 4 * sizes.fresh; i++) {
        const Packet packet = request(kind, static_cast<std::uint16_t>(41000 + i));
        CHECK(gateway.programs.ingress(packet).verdict == verdict_next);
    }
    CHECK(gateway.programs.flows_new.all().size() <= sizes.fresh);
    CHECK(gateway.programs.lasting(kind.protocol).all().size() == 1);
    const Packet packet = with_flags(request(kind), tcp_flag::ack);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "connections that have ended push out no living one", over_tcp)
{
    const LoadOptions sizes{.fresh = 8192, .established = 512};
    const bool reset = GENERATE(false, true);
    const OneGateway gateway(kind, sizes);
    open_flow(gateway.programs, gateway.pod, kind);
    for (unsigned i = 0; i < 4 * sizes.established; i++) {
        const auto port = static_cast<std::uint16_t>(41000 + i);
        open_flow(gateway.programs, gateway.pod, kind, port);
        if (reset) {
            gateway.programs.ingress(with_flags(request(kind, port), tcp_flag::rst));
            continue;
        }
        gateway.programs.ingress(with_flags(request(kind, port), tcp_flag::ack | tcp_flag::fin));
        gateway.programs.egress(with_flags(reply(gateway.pod, kind, port), tcp_flag::ack | tcp_flag::fin));
    }
    CHECK(gateway.programs.flows_established.all().size() == 1);
    CHECK(is_established(gateway, kind));

    // What the ends of a closed one still say to each other, and not as of a living one.
    const Packet last = with_flags(request(kind, 41000), tcp_flag::ack);
    check_translated(gateway.programs.ingress(last), to(last, gateway.pod.at(kind)));
    const Packet answer = with_flags(reply(gateway.pod, kind, 41000), tcp_flag::ack | tcp_flag::fin);
    check_translated(gateway.programs.egress(answer), from(answer, gateway.node_port));
    CHECK(gateway.programs.flows_established.all().size() == 1);
}

PACKET_CASE("node_egress", "datagrams that were answered push out no connection", over_tcp)
{
    const LoadOptions sizes{.fresh = 512, .established = 512, .answered = 512};
    OneGateway gateway(kind, sizes);
    open_flow(gateway.programs, gateway.pod, kind);
    const Kind datagrams{.v6 = kind.v6, .protocol = IPPROTO_UDP};
    gateway.programs.expose(gateway.node_port, IPPROTO_UDP, {&gateway.pod});
    for (unsigned i = 0; i < 4 * sizes.established; i++)
        open_flow(gateway.programs, gateway.pod, datagrams, static_cast<std::uint16_t>(41000 + i));
    CHECK(is_established(gateway, kind));
    CHECK(gateway.programs.flows_answered.all().size() <= sizes.answered);
    const Packet spoken = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    check_translated(gateway.programs.egress(spoken), from(spoken, gateway.node_port));
}

PACKET_CASE("node_egress", "a server whose connection lost its entry is heard when it speaks first", over_tcp)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const RealConnection connection(gateway, kind);
    const RealConnection direct(gateway, kind, 40001);
    const Packet spoken = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    gateway.programs.egress(spoken);
    const Packet other = with_flags(reply(gateway.pod, kind, 40001), tcp_flag::ack);
    check_untouched(gateway.programs.egress(other), other);

    gateway.programs.clear_flows();
    check_translated(gateway.programs.egress(spoken), from(spoken, gateway.node_port));
    CHECK(is_established(gateway, kind));
    check_untouched(gateway.programs.egress(other), other);

    gateway.programs.clear_flows();
    gateway.pod.id = 8;  // another pod's socket at that address isn't this connection's
    gateway.programs.expose(gateway.node_port, kind.protocol, {&gateway.pod});
    check_untouched(gateway.programs.egress(spoken), spoken);
}

PACKET_CASE("node_ingress", "a handshake is completed by an acknowledgement of the pod's sequence number alone",
            over_tcp)
{
    const OneGateway gateway(kind);
    const auto acknowledge = [&](std::uint32_t number) {
        const Packet packet = with_flags(request(kind), tcp_flag::ack, number);
        check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
    };
    gateway.programs.ingress(request(kind));
    acknowledge(1);  // the pod hasn't answered: nothing to acknowledge
    CHECK_FALSE(is_established(gateway, kind));

    gateway.programs.egress(reply(gateway.pod, kind));
    CHECK(gateway.programs.flows_new.find(key_in(gateway, kind))->server_isn == server_isn);
    for (const std::uint32_t wrong : {server_isn, server_isn - 1, server_isn + (1U << 20) + 1, server_isn + (1U << 31)})
        acknowledge(wrong);
    const Packet no_ack = with_flags(request(kind), tcp_flag::syn, server_isn + 1);
    gateway.programs.ingress(no_ack);
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::syn | tcp_flag::ack));
    CHECK_FALSE(is_established(gateway, kind));
    CHECK(is_new(gateway, kind));

    acknowledge(server_isn + 1);
    CHECK(is_established(gateway, kind));
    CHECK_FALSE(is_new(gateway, kind));
    CHECK(state_of(gateway, kind) == (abi::FLOW_SYN_ACKED | abi::FLOW_ESTABLISHED));
}

PACKET_CASE("node_egress", "a datagram's flow is established by an answer, not by more questions", over_udp)
{
    const OneGateway gateway(kind);
    for (int i = 0; i < 3; i++)
        gateway.programs.ingress(request(kind));
    CHECK_FALSE(is_established(gateway, kind));
    gateway.programs.egress(reply(gateway.pod, kind));
    CHECK(is_established(gateway, kind));
    CHECK_FALSE(is_new(gateway, kind));
    CHECK(gateway.programs.flows_established.all().empty());
}

PACKET_CASE("node_egress", "FIN and RST are kept in mind, each for its side", over_tcp)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    constexpr unsigned open = abi::FLOW_SYN_ACKED | abi::FLOW_ESTABLISHED | abi::FLOW_AT_SOCKET;
    gateway.programs.egress(with_flags(reply(gateway.pod, kind), tcp_flag::ack | tcp_flag::fin));
    CHECK(state_of(gateway, kind) == (open | abi::FLOW_SERVER_FIN));
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::ack | tcp_flag::fin));
    CHECK(state_of(gateway, kind) == (open | abi::FLOW_SERVER_FIN | abi::FLOW_CLIENT_FIN));
    gateway.programs.egress(with_flags(reply(gateway.pod, kind), tcp_flag::rst));
    CHECK((state_of(gateway, kind) & abi::FLOW_RESET) != 0);
}

PACKET_CASE("node_ingress", "a flow that was lost is found again in the pod's socket", over_tcp)
{
    OneGateway gateway(kind);
    const RealConnection connection(gateway, kind);
    gateway.listener = UniqueFd();  // it takes no new ones; this one isn't new
    const UniqueFd elsewhere = gateway.pod.listen(kind, 9081);
    const Packet packet = with_flags(request(kind), tcp_flag::ack);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
    CHECK(state_of(gateway, kind) == (abi::FLOW_SYN_ACKED | abi::FLOW_ESTABLISHED));
    const Packet answer = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    check_translated(gateway.programs.egress(answer), from(answer, gateway.node_port));
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 0);

    // Another client's is no connection of the pod.
    const Packet stray = with_flags(request(kind, 40001), tcp_flag::ack);
    check_untouched(gateway.programs.ingress(stray), stray);
}

PACKET_CASE("node_ingress", "a flow that is found again by a FIN or RST knows of it", over_tcp)
{
    OneGateway gateway(kind);
    const RealConnection connection(gateway, kind);
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::ack | tcp_flag::fin));
    CHECK((state_of(gateway, kind) & abi::FLOW_CLIENT_FIN) != 0);
    gateway.programs.clear_flows();
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::rst));
    CHECK((state_of(gateway, kind) & abi::FLOW_RESET) != 0);
}

PACKET_CASE("node_egress", "a direct connection to the pod is nobody's but its own", every_kind)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind, 40001);  // the same client, another port of it
    const Packet in = to(request(kind), gateway.pod.at(kind));
    const Packet out = reply(gateway.pod, kind);
    check_untouched(gateway.programs.ingress(in), in);
    check_untouched(gateway.programs.egress(out), out);
    check_untouched(gateway.programs.ingress(with_flags(in, tcp_flag::ack)), with_flags(in, tcp_flag::ack));
    check_untouched(gateway.programs.egress(with_flags(out, tcp_flag::ack)), with_flags(out, tcp_flag::ack));
    // The kernel knows who has a TCP connection; of who sends datagrams there is no other trace.
    const auto entry = gateway.programs.lasting(kind.protocol).find(key_in(gateway, kind));
    CHECK(entry.has_value() == !kind.tcp());
    if (entry)
        CHECK((entry->state & abi::FLOW_DIRECT) != 0);
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);
}

PACKET_CASE("node_egress", "a direct connection may use the port of a flow that has ended", over_tcp)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::rst));
    const Packet in = to(request(kind), gateway.pod.at(kind));
    check_untouched(gateway.programs.ingress(in), in);
    check_untouched(gateway.programs.egress(reply(gateway.pod, kind)), reply(gateway.pod, kind));
}
