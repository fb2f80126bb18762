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
    return gateway.programs.flows_established.find(key_in(gateway, kind)).has_value();
}

unsigned state_of(const OneGateway& gateway, Kind kind)
{
    const auto flow = gateway.programs.flows_established.find(key_in(gateway, kind));
    REQUIRE(flow);
    return flow->state;
}

}  // namespace

PACKET_CASE("node_ingress", "a flood of first packets evicts no established flow", every_kind)
{
    const LoadOptions sizes{.fresh = 512, .established = 512};
    const OneGateway gateway(kind, sizes);
    open_flow(gateway.programs, gateway.pod, kind);
    for (unsigned i = 0; i < 4 * sizes.fresh; i++) {
        const Packet packet = request(kind, static_cast<std::uint16_t>(41000 + i));
        CHECK(gateway.programs.ingress(packet).verdict == verdict_next);
    }
    CHECK(gateway.programs.flows_new.all().size() <= sizes.fresh);
    CHECK(gateway.programs.flows_established.all().size() == 1);
    const Packet packet = with_flags(request(kind), tcp_flag::ack);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
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
}

PACKET_CASE("node_egress", "FIN and RST are kept in mind, each for its side", over_tcp)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    constexpr unsigned open = abi::FLOW_SYN_ACKED | abi::FLOW_ESTABLISHED;
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
    const auto entry = gateway.programs.flows_established.find(key_in(gateway, kind));
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
