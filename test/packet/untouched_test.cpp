// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What isn't ours leaves as it came, byte by byte, and goes on to whoever is next.
#include "fixture.hpp"

#include "sallyport/wire.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// A gateway with an open flow, so that packets in either direction would be translated if they were whole.
struct BusyGateway : OneGateway
{
    explicit BusyGateway(Kind kind) : OneGateway(kind) { open_flow(programs, pod, kind); }

    Packet in(Kind kind) const { return with_payload(with_flags(request(kind), tcp_flag::ack)); }
    Packet out(Kind kind) const { return with_payload(with_flags(reply(pod, kind), tcp_flag::ack)); }

    /// Long enough for any IP header, which the kernel's test run insists on, whatever the Ethernet type says.
    static Packet with_payload(Packet packet)
    {
        packet.payload = counting(40);
        return packet;
    }

    void check_neither(const Packet& in, const Packet& out) const
    {
        check_untouched(programs.ingress(in), in);
        check_untouched(programs.egress(out), out);
    }

    void check_neither(const Bytes& in, const Bytes& out) const
    {
        check_bytes(programs.run("node_ingress", in), in);
        check_bytes(programs.run("node_egress", out), out);
    }

    /// The same change to both directions' bytes.
    template <typename Change>
    void check_neither_with(Kind kind, Change change) const
    {
        Bytes request_bytes = in(kind).bytes();
        Bytes reply_bytes = out(kind).bytes();
        change(request_bytes);
        change(reply_bytes);
        check_neither(request_bytes, reply_bytes);
    }
};

/// The kernel's test run refuses a frame that says "IP" and ends within the fixed part of that header.
std::size_t shortest(Kind kind)
{
    return kind.v6 ? 14 + 40 : 14 + 20;
}

}  // namespace

PACKET_CASE("node_ingress", "a packet that ends within its transport header", every_kind)
{
    const BusyGateway gateway(kind);
    const Packet packet = gateway.in(kind);
    const std::size_t whole = packet.l4() + (kind.tcp() ? 20 : 8);
    for (std::size_t size = shortest(kind); size < whole; size++) {
        CAPTURE(size);
        gateway.check_neither(first(packet.bytes(), size), first(gateway.out(kind).bytes(), size));
    }
    CHECK(gateway.programs.run("node_ingress", first(packet.bytes(), whole)).out != first(packet.bytes(), whole));
}

PACKET_CASE("node_ingress", "a packet that ends within options or extension headers", every_kind)
{
    const BusyGateway gateway(kind);
    Packet packet = gateway.in(kind);
    if (kind.v6)
        packet.extensions = {{IPPROTO_HOPOPTS, Bytes(14)}, {IPPROTO_AH, Bytes(10)}, {IPPROTO_DSTOPTS, Bytes(6)}};
    else
        packet.ip_options = Bytes(40, 1);
    for (std::size_t size = shortest(kind); size < packet.l4() + (kind.tcp() ? 20 : 8); size++) {
        const Bytes bytes = first(packet.bytes(), size);
        CAPTURE(size);
        check_bytes(gateway.programs.run("node_ingress", bytes), bytes);
    }
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "other protocols", every_kind)
{
    const BusyGateway gateway(kind);
    for (const int protocol :
         {int{IPPROTO_ICMP}, int{IPPROTO_ICMPV6}, int{IPPROTO_SCTP}, int{IPPROTO_DCCP}, int{IPPROTO_GRE},
          int{IPPROTO_ESP}, int{IPPROTO_UDPLITE}, int{IPPROTO_IPIP}, int{IPPROTO_IPV6}, int{IPPROTO_RAW}}) {
        CAPTURE(protocol);
        Packet in = gateway.in(kind);
        Packet out = gateway.out(kind);
        in.protocol = out.protocol = static_cast<std::uint8_t>(protocol);
        gateway.check_neither(in, out);
    }
}

PACKET_CASE("node_ingress", "an IP header of another version, or shorter than one can be", every_kind)
{
    const BusyGateway gateway(kind);
    for (const unsigned version : {0U, 4U, 5U, 6U, 15U}) {
        if (version != (kind.v6 ? 6U : 4U))
            gateway.check_neither_with(kind,
                                       [&](Bytes& bytes) { bytes[14] = static_cast<std::uint8_t>(version << 4 | 5); });
    }
    for (std::uint8_t ihl = 0; ihl < 5 && !kind.v6; ihl++)
        gateway.check_neither_with(kind, [&](Bytes& bytes) { bytes[14] = static_cast<std::uint8_t>(0x40 | ihl); });
}

PACKET_CASE("node_ingress", "a TCP header shorter than one can be", over_tcp)
{
    const BusyGateway gateway(kind);
    const std::size_t at = gateway.in(kind).l4() + 12;
    for (std::uint8_t offset = 0; offset < 5; offset++)
        gateway.check_neither_with(kind, [&](Bytes& bytes) { bytes[at] = static_cast<std::uint8_t>(offset << 4); });
}

PACKET_CASE("node_ingress", "frames that carry no IP, or carry it below a tag", every_kind)
{
    const BusyGateway gateway(kind);
    for (const unsigned type : {0x0806U, 0x8100U, 0x88a8U, 0x8863U, kind.v6 ? 0x0800U : 0x86ddU})
        gateway.check_neither_with(kind, [&](Bytes& bytes) {
            bytes[12] = static_cast<std::uint8_t>(type >> 8);
            bytes[13] = static_cast<std::uint8_t>(type);
        });
}

PACKET_CASE("node_ingress", "addresses that aren't the node's, ports that aren't exposed", every_kind)
{
    const BusyGateway gateway(kind);
    const Packet packet = gateway.in(kind);
    for (const Packet& other : {to(packet, {kind.v6 ? "2001:db8:1::2" : "198.51.100.2", 80}),
                                to(packet, node_at(kind, 81)), to(packet, node_at(kind, 9080)),
                                to(packet, gateway.pod.at(kind, 80)), to(packet, gateway.pod.at(kind, 9081))}) {
        check_untouched(gateway.programs.ingress(other), other);
        check_untouched(gateway.programs.ingress(with_flags(other, tcp_flag::syn)), with_flags(other, tcp_flag::syn));
    }
}

// An address that the node lost, its exposure still there.
PACKET_CASE("node_ingress", "an exposed port at an address that was the node's", every_kind)
{
    BusyGateway gateway(kind);
    gateway.programs.addresses.erase(to_wire(*Prefix::parse(gateway.node_port.address)));
    for (const unsigned flags : {tcp_flag::syn, tcp_flag::ack}) {
        const Packet packet = with_flags(request(kind, 40001), flags);
        check_untouched(gateway.programs.ingress(packet), packet);
    }
    // A connection from before goes on: it costs its packets no look-up of the address.
    check_translated(gateway.programs.ingress(gateway.in(kind)), to(gateway.in(kind), gateway.pod.at(kind)));
}

PACKET_CASE("node_egress", "packets that only look like replies", every_kind)
{
    const BusyGateway gateway(kind);
    const Packet packet = gateway.out(kind);
    for (const Packet& other : {from(packet, gateway.pod.at(kind, 80)), from(packet, gateway.node_port),
                                from(to(packet, packet.source), packet.destination)})
        check_untouched(gateway.programs.egress(other), other);
}

// RFC 4291 knows them in memory only; in our tables they stand for IPv4.
PACKET_CASE("node_ingress", "IPv4-mapped addresses in an IPv6 packet", over_ipv6)
{
    BusyGateway gateway({false, kind.protocol});
    gateway.listener = UniqueFd();
    const UniqueFd dual = bound_socket(gateway.pod.netns, {"::", 9080}, kind.tcp() ? SOCK_STREAM : SOCK_DGRAM);
    const Packet in{
        .source = {"2001:db8:7::7", 40000}, .destination = {"::ffff:198.51.100.1", 80}, .protocol = kind.protocol};
    check_untouched(gateway.programs.ingress(in), in);
    const Packet out{.source = {"::ffff:10.0.0.7", 9080},
                     .destination = {"::ffff:203.0.113.7", 40000},
                     .protocol = kind.protocol,
                     .flags = tcp_flag::ack};
    check_untouched(gateway.programs.egress(out), out);
}

// Its destination is a waypoint, not the end that the checksum covers.
PACKET_CASE("node_ingress", "a routing header with segments left", over_ipv6)
{
    const BusyGateway gateway(kind);
    Packet packet = gateway.in(kind);
    Bytes segment(22);
    segment[0] = 2;  // type 2 (RFC 6275), one segment left
    segment[1] = 1;
    packet.extensions = {{IPPROTO_ROUTING, segment}};
    check_untouched(gateway.programs.ingress(packet), packet);
}
