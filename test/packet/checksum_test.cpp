// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Checksums in their odd cases, with headers of every length. What is expected is summed anew by the packet builder.
#include "fixture.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// In both directions: the packet as a client's first, and the same headers on a reply.
void check_both_ways(const OneGateway& gateway, Kind kind, const Packet& packet)
{
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
    Packet answer = packet;
    answer.source = gateway.pod.at(kind);
    answer.destination = packet.source;
    answer.flags = tcp_flag::ack;
    check_translated(gateway.programs.egress(answer), from(answer, gateway.node_port));
}

/// The packet with two more bytes of payload, such that its checksum as `seen` makes it is 0.
Packet with_sum_of_zero(Packet packet, Packet (*seen)(Packet, const Target&), const Target& end)
{
    packet.payload = {0, 0};
    const std::uint16_t sum = seen(packet, end).transport_sum();
    packet.payload = {static_cast<std::uint8_t>(sum >> 8), static_cast<std::uint8_t>(sum)};
    REQUIRE(seen(packet, end).transport_sum() == 0);
    return packet;
}

void check_ingress(const OneGateway& gateway, Kind kind, const Packet& packet)
{
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
}

void check_egress(const OneGateway& gateway, const Packet& packet)
{
    check_translated(gateway.programs.egress(packet), from(packet, gateway.node_port));
}

}  // namespace

PACKET_CASE("node_ingress", "payloads of any size, odd ones too", every_kind)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    for (std::size_t size = 0; size < 70; size++) {
        packet.payload = counting(size);
        check_both_ways(gateway, kind, packet);
    }
    for (const std::size_t size : {511U, 1399U, 1400U}) {
        packet.payload = Bytes(size, 0xff);
        check_both_ways(gateway, kind, packet);
    }
}

PACKET_CASE("node_ingress", "a datagram without a checksum stays without", over_udp)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    packet.udp_checksum = false;
    check_both_ways(gateway, kind, packet);
}

PACKET_CASE("node_ingress", "a sum that comes out as 0 is written as UDP wants, and as TCP does", every_kind)
{
    const OneGateway gateway(kind);
    check_ingress(gateway, kind, with_sum_of_zero(request(kind), to, gateway.pod.at(kind)));
    // 0 before the change, and 0 between its two steps, address and port, in either order.
    check_ingress(gateway, kind, with_sum_of_zero(request(kind), to, gateway.node_port));
    check_ingress(gateway, kind, with_sum_of_zero(request(kind), to, gateway.pod.at(kind, 80)));
    check_ingress(gateway, kind, with_sum_of_zero(request(kind), to, node_at(kind, 9080)));
}

PACKET_CASE("node_egress", "a sum that comes out as 0 is written as UDP wants, and as TCP does", every_kind)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const Packet packet = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    check_egress(gateway, with_sum_of_zero(packet, from, gateway.node_port));
    check_egress(gateway, with_sum_of_zero(packet, from, gateway.pod.at(kind)));
    check_egress(gateway, with_sum_of_zero(packet, from, node_at(kind, 9080)));
    check_egress(gateway, with_sum_of_zero(packet, from, gateway.pod.at(kind, 80)));
}

PACKET_CASE("node_ingress", "a wrong checksum stays wrong", every_kind)
{
    const OneGateway gateway(kind);
    Bytes broken = request(kind).bytes();
    broken.back() ^= 0x55;
    Bytes expected = to(request(kind), gateway.pod.at(kind)).bytes();
    expected.back() ^= 0x55;
    const Outcome outcome = gateway.programs.run("node_ingress", broken);
    check_bytes(outcome, expected);  // no builder makes a wrong one
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "IPv4 options of every length", over_ipv4)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    for (std::size_t size = 4; size <= 40; size += 4) {
        packet.ip_options = Bytes(size, 1);  // no-operation (RFC 791)
        check_both_ways(gateway, kind, packet);
        packet.ip_options = counting(size);
        check_both_ways(gateway, kind, packet);
    }
}

PACKET_CASE("node_ingress", "TCP options of every length", over_tcp)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    for (std::size_t size = 4; size <= 40; size += 4) {
        packet.tcp_options = counting(size);
        check_both_ways(gateway, kind, packet);
    }
}

PACKET_CASE("node_ingress", "IPv6 extension headers of every kind and length", over_ipv6)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    for (const std::uint8_t type : {std::uint8_t{IPPROTO_HOPOPTS}, std::uint8_t{IPPROTO_DSTOPTS}})
        for (const std::size_t size : {8U, 16U, 24U, 64U, 256U, 1024U}) {
            CAPTURE(unsigned{type}, size);
            packet.extensions = {{type, counting(size - 2)}};
            check_both_ways(gateway, kind, packet);
        }
    for (const std::size_t size : {8U, 24U, 40U}) {
        packet.extensions = {{IPPROTO_ROUTING, Bytes(size - 2)}};  // no segments left
        check_both_ways(gateway, kind, packet);
    }
    for (const std::size_t size : {12U, 16U, 20U, 24U, 28U, 44U}) {  // in words of 4 bytes, less 2
        packet.extensions = {{IPPROTO_AH, counting(size - 2)}};
        check_both_ways(gateway, kind, packet);
    }
}

PACKET_CASE("node_ingress", "IPv6 extension headers one after another, up to seven", over_ipv6)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    packet.extensions = {{IPPROTO_HOPOPTS, Bytes(6)},
                         {IPPROTO_DSTOPTS, Bytes(14)},
                         {IPPROTO_ROUTING, Bytes(22)},
                         {IPPROTO_AH, Bytes(22)},
                         {IPPROTO_DSTOPTS, Bytes(6)}};
    check_both_ways(gateway, kind, packet);
    packet.extensions = std::vector<Extension>(7, {IPPROTO_DSTOPTS, Bytes(6)});
    check_both_ways(gateway, kind, packet);
    packet.extensions.push_back({IPPROTO_DSTOPTS, Bytes(6)});
    check_untouched(gateway.programs.ingress(packet), packet);
}
