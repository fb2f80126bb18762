// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Datagrams and segments in fragments: the first goes by its ports, the others where the first went.
//
// The datagram's checksum is in the first and covers all, so each fragment is compared with the same one of the whole
// datagram as the builder makes it at the other end.
#include "fixture.hpp"

#include <numeric>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::size_t piece = 48;  // a multiple of 8, and more than any transport header

struct FragmentingGateway : OneGateway
{
    explicit FragmentingGateway(Kind kind) : OneGateway(kind) { open_flow(programs, pod, kind); }

    Packet in(Kind kind, std::size_t size = 200) const { return sized(with_flags(request(kind), tcp_flag::ack), size); }
    Packet out(Kind kind, std::size_t size = 200) const
    {
        return sized(with_flags(reply(pod, kind), tcp_flag::ack), size);
    }

    static Packet sized(Packet packet, std::size_t size)
    {
        packet.payload = counting(size);
        return packet;
    }

    /// Runs the datagram's fragments in this order, and compares with those of `expected`.
    void check(const char* program, const Packet& packet, const Packet& expected,
               const std::vector<std::size_t>& order) const
    {
        tried().insert({program, {packet.v6(), packet.protocol}});
        const std::vector<Bytes> before = packet.fragments(piece);
        const std::vector<Bytes> after = expected.fragments(piece);
        REQUIRE(before.size() == after.size());
        for (const std::size_t i : order) {
            CAPTURE(program, i);
            check_bytes(programs.run(program, before.at(i)), after.at(i));
        }
    }

    void check_both_ways(Kind kind, const Packet& request, const Packet& answer,
                         const std::vector<std::size_t>& order) const
    {
        check("node_ingress", request, to(request, pod.at(kind)), order);
        check("node_egress", answer, from(answer, node_port), order);
    }
};

}  // namespace

PACKET_CASE("node_ingress", "all fragments of a datagram go where the first goes", every_kind)
{
    const FragmentingGateway gateway(kind);
    for (const std::size_t size : {101U, 150U, 200U}) {
        CAPTURE(size);
        std::vector<std::size_t> order(gateway.in(kind, size).fragments(piece).size());
        std::iota(order.begin(), order.end(), 0U);
        REQUIRE(order.size() >= 3);
        gateway.check_both_ways(kind, gateway.in(kind, size), gateway.out(kind, size), order);
    }
    CHECK(gateway.programs.drops(abi::DROP_REWRITE_FAILED) == 0);
}

PACKET_CASE("node_egress", "after the first, in any order, and again", every_kind)
{
    const FragmentingGateway gateway(kind);
    gateway.check_both_ways(kind, gateway.in(kind), gateway.out(kind), {0, 3, 1, 4, 2, 2});
    gateway.check_both_ways(kind, gateway.in(kind), gateway.out(kind), {4, 0, 1});  // its first is known still
}

PACKET_CASE("node_ingress", "a datagram's first fragment begins a flow like any first packet", every_kind)
{
    const OneGateway gateway(kind);
    Packet packet = request(kind);
    packet.payload = counting(100);
    const std::vector<Bytes> before = packet.fragments(piece);
    const std::vector<Bytes> after = to(packet, gateway.pod.at(kind)).fragments(piece);
    tried().insert({"node_ingress", kind});
    for (std::size_t i = 0; i < before.size(); i++)
        check_bytes(gateway.programs.run("node_ingress", before[i]), after[i]);
    const abi::traffic traffic = gateway.programs.traffic(gateway.node_port, kind.protocol);
    CHECK(traffic.connections == 1);
    CHECK(traffic.packets[abi::FROM_CLIENT] == before.size());
}

PACKET_CASE("node_ingress", "several datagrams at once, each by its number", every_kind)
{
    const FragmentingGateway gateway(kind);
    Packet ours = gateway.in(kind);
    Packet theirs = to(ours, node_at(kind, 81));
    theirs.id = 0x4321;
    for (const std::size_t i : {0U, 1U, 2U}) {
        gateway.check("node_ingress", ours, to(ours, gateway.pod.at(kind)), {i});
        gateway.check("node_ingress", theirs, theirs, {i});
    }
}

PACKET_CASE("node_ingress", "later fragments whose first wasn't ours, or never came, stay as they are", every_kind)
{
    const FragmentingGateway gateway(kind);
    const Packet in = gateway.in(kind);
    const Packet out = gateway.out(kind);
    gateway.check("node_ingress", in, in, {1, 2, 3, 4});
    gateway.check("node_egress", out, out, {1, 2, 3, 4});
    const Packet other = to(in, node_at(kind, 81));
    gateway.check("node_ingress", other, other, {0, 1, 2});
    const Packet direct = to(gateway.in(kind), gateway.pod.at(kind));
    gateway.check("node_ingress", from(direct, client_at(kind, 40001)), from(direct, client_at(kind, 40001)), {0, 1});
    CHECK(gateway.programs.fragmented.all().size() <= (kind.tcp() ? 0U : 1U));
}

// Numbers are 16 bits in IPv4: a busy client uses one again within seconds.
PACKET_CASE("node_ingress", "a number that comes again is another datagram's", every_kind)
{
    const FragmentingGateway gateway(kind);
    const Packet ours = gateway.in(kind);
    gateway.check("node_ingress", ours, to(ours, gateway.pod.at(kind)), {0, 1});
    const Packet theirs = to(ours, node_at(kind, 81));
    gateway.check("node_ingress", theirs, theirs, {0, 1, 2});
    gateway.check("node_ingress", ours, to(ours, gateway.pod.at(kind)), {0, 1, 2});

    const Packet answer = gateway.out(kind);
    gateway.check("node_egress", answer, from(answer, gateway.node_port), {0, 1});
    const Packet other = from(answer, gateway.pod.at(kind, 9081));
    gateway.check("node_egress", other, other, {0, 1, 2});
}

PACKET_CASE("node_ingress", "fragments of a flow that is shown under another client port", every_kind)
{
    FragmentingGateway gateway(kind);
    const Target other_port = node_at(kind, 8080);
    gateway.programs.expose(other_port, kind.protocol, {&gateway.pod});
    const Packet first = to(request(kind), other_port);
    const std::uint16_t shown = check_shown_otherwise(gateway.programs.ingress(first), first, gateway.pod.at(kind));

    const Packet in = to(gateway.in(kind), other_port);
    const Packet seen = to(from(in, client_at(kind, shown)), gateway.pod.at(kind));
    gateway.check("node_ingress", in, seen, {0, 2, 1, 3});
    const Packet out = to(gateway.out(kind), client_at(kind, shown));
    gateway.check("node_egress", out, from(to(out, client_at(kind)), other_port), {0, 2, 1, 3});
}

PACKET_CASE("node_ingress", "fragments with IP options or extension headers", every_kind)
{
    const FragmentingGateway gateway(kind);
    Packet in = gateway.in(kind);
    Packet out = gateway.out(kind);
    for (Packet* packet : {&in, &out}) {
        if (kind.v6)
            packet->extensions = {{IPPROTO_HOPOPTS, Bytes(6)}, {IPPROTO_DSTOPTS, counting(14)}};
        else
            packet->ip_options = counting(12);
    }
    gateway.check_both_ways(kind, in, out, {0, 1, 2, 3, 4});
}

PACKET_CASE("node_ingress", "a datagram without a checksum stays without, in fragments too", over_udp)
{
    const FragmentingGateway gateway(kind);
    Packet in = gateway.in(kind);
    Packet out = gateway.out(kind);
    in.udp_checksum = out.udp_checksum = false;
    gateway.check_both_ways(kind, in, out, {0, 1, 2});
}

// RFC 6946: a fragment header on a datagram that is whole.
PACKET_CASE("node_ingress", "atomic fragments are whole, and leave nothing behind", over_ipv6)
{
    const FragmentingGateway gateway(kind);
    for (const std::vector<Extension>& before : {std::vector<Extension>{}, {{IPPROTO_DSTOPTS, Bytes(6)}}}) {
        Packet in = gateway.in(kind);
        in.extensions = before;
        in.extensions.push_back({IPPROTO_FRAGMENT, {0, 0, 0, 0, 0, 9}});
        in.extensions.push_back({IPPROTO_DSTOPTS, Bytes(6)});
        check_translated(gateway.programs.ingress(in), to(in, gateway.pod.at(kind)));
        Packet out = gateway.out(kind);
        out.extensions = in.extensions;
        check_translated(gateway.programs.egress(out), from(out, gateway.node_port));
    }
    CHECK(gateway.programs.fragmented.all().empty());
}

PACKET_CASE("node_ingress", "a fragment within a fragment stays as it is", over_ipv6)
{
    const FragmentingGateway gateway(kind);
    Packet in = gateway.in(kind);
    in.extensions = {{IPPROTO_FRAGMENT, {0, 1, 0, 0, 0, 9}}, {IPPROTO_FRAGMENT, {0, 1, 0, 0, 0, 9}}};
    check_untouched(gateway.programs.ingress(in), in);
}

PACKET_CASE("node_ingress", "a later fragment that ends within its IP header stays as it is", over_ipv4)
{
    const FragmentingGateway gateway(kind);
    Packet in = gateway.in(kind);
    in.ip_options = counting(40);
    gateway.check("node_ingress", in, to(in, gateway.pod.at(kind)), {0, 1});
    const Bytes whole = in.fragments(piece).at(1);
    for (std::size_t size = in.l3() + 20; size < in.l4(); size++)
        check_bytes(gateway.programs.run("node_ingress", first(whole, size)), first(whole, size));
}

// RFC 1858: such a fragment hides the ports, or a part of TCP's header, from whoever looks at the first alone.
PACKET_CASE("node_ingress", "a first fragment that ends within its transport header stays as it is", every_kind)
{
    const FragmentingGateway gateway(kind);
    const Packet in = gateway.in(kind);
    if (kind.tcp()) {
        const std::vector<Bytes> pieces = in.fragments(8);
        tried().insert({"node_ingress", kind});
        for (const std::size_t i : {0U, 1U, 2U, 3U})
            check_bytes(gateway.programs.run("node_ingress", pieces.at(i)), pieces.at(i));
    } else {  // UDP's whole header is in the shortest
        const std::vector<Bytes> before = in.fragments(8);
        const std::vector<Bytes> after = to(in, gateway.pod.at(kind)).fragments(8);
        tried().insert({"node_ingress", kind});
        for (const std::size_t i : {0U, 1U, 2U, 3U})
            check_bytes(gateway.programs.run("node_ingress", before.at(i)), after.at(i));
    }
}
