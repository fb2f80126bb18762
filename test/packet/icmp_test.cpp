// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors about translated packets: who gets one must find in it what it sent itself.
#include "icmp_error.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// A gateway with a flow of TCP or UDP, and what passed each way: as the client knows it, and as the pod does.
struct Conversation : OneGateway
{
    explicit Conversation(Kind about_kind) : OneGateway(about_kind), about(about_kind)
    {
        open_flow(programs, pod, about);
        asked = with_flags(request(about), tcp_flag::ack);
        seen = to(asked, pod.at(about));
        answer = with_flags(reply(pod, about), tcp_flag::ack);
        heard = from(answer, node_port);
    }

    /// The client's packets again, but shown to the pod under another client port: they go to a second node port.
    void clash()
    {
        const Target other_port = node_at(about, 8080);
        programs.expose(other_port, about.protocol, {&pod});
        const Packet first = to(request(about), other_port);
        const std::uint16_t shown = check_shown_otherwise(programs.ingress(first), first, pod.at(about));
        asked = to(asked, other_port);
        seen = from(seen, client_at(about, shown));
        answer = to(answer, client_at(about, shown));
        heard = from(heard, other_port);
    }

    /// From the pod or on the way to it, about what the client sent.
    void check_error_from(const std::string& source, const IcmpHeader& header, std::size_t size) const
    {
        const std::string shown_source = source == pod.at(about).address ? node_port.address : source;
        const Packet error = icmp_error(source, client_at(about).address, header, carried(seen, size));
        check_translated(programs.egress(error),
                         icmp_error(shown_source, client_at(about).address, header, carried(asked, size)));
    }

    /// From the client or on the way to it, about what the pod sent.
    void check_error_to_pod(const std::string& source, const IcmpHeader& header, std::size_t size) const
    {
        const Packet error = icmp_error(source, node_port.address, header, carried(heard, size));
        check_translated(programs.ingress(error),
                         icmp_error(source, pod.at(about).address, header, carried(answer, size)));
    }

    void check_all_sizes() const
    {
        for (const std::size_t size : carried_sizes(about)) {
            CAPTURE(size);
            for (const std::string& source : {router(about), pod.at(about).address})
                check_error_from(source, too_big(about), size);
            for (const std::string& source : {router(about), client_at(about).address})
                check_error_to_pod(source, too_big(about), size);
        }
    }

    Kind about;
    Packet asked, seen;    // the client's, at both ends
    Packet answer, heard;  // the pod's
};

/// What the error is about.
Kind about(Kind icmp)
{
    const std::uint8_t protocol = GENERATE(std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP});
    CAPTURE(protocol);
    return {icmp.v6, protocol};
}

}  // namespace

PACKET_CASE("node_egress", "an error about a request carries it as the client sent it", over_icmp)
{
    const Conversation talk(about(kind));
    for (const IcmpHeader& header : error_types(kind))
        for (const std::string& source : {router(kind), talk.pod.at(kind).address}) {
            if (header.type == port_unreachable(kind).type && header.code == port_unreachable(kind).code)
                continue;  // ends a flow of datagrams
            CAPTURE(int{header.type}, int{header.code}, source);
            talk.check_error_from(source, header, 8);
        }
    talk.check_error_from(talk.pod.at(kind).address, port_unreachable(kind), 8);
}

PACKET_CASE("node_ingress", "an error about a reply carries it as the pod sent it", over_icmp)
{
    const Conversation talk(about(kind));
    for (const IcmpHeader& header : error_types(kind))
        for (const std::string& source : {router(kind), client_at(kind).address}) {
            CAPTURE(int{header.type}, int{header.code}, source);
            talk.check_error_to_pod(source, header, 8);
        }
    CHECK(talk.programs.traffic(talk.node_port, talk.about.protocol).packets[abi::FROM_CLIENT] ==
          (talk.about.tcp() ? 2 : 1));  // errors aren't the connection's packets
}

PACKET_CASE("node_ingress", "errors with any part of a packet, checksum or none", over_icmp)
{
    const Conversation talk(about(kind));
    talk.check_all_sizes();
    CHECK(talk.programs.drops(abi::DROP_REWRITE_FAILED) == 0);
}

PACKET_CASE("node_ingress", "errors about a datagram without a checksum", over_icmp)
{
    Conversation talk({kind.v6, IPPROTO_UDP});
    for (Packet* packet : {&talk.asked, &talk.seen, &talk.answer, &talk.heard})
        packet->udp_checksum = false;
    talk.check_all_sizes();
}

PACKET_CASE("node_ingress", "errors about packets with IP options or extension headers", over_icmp)
{
    Conversation talk(about(kind));
    for (Packet* packet : {&talk.asked, &talk.seen, &talk.answer, &talk.heard}) {
        if (kind.v6)
            packet->extensions = {
                {IPPROTO_HOPOPTS, Bytes(6)}, {IPPROTO_AH, counting(22)}, {IPPROTO_DSTOPTS, Bytes(14)}};
        else
            packet->ip_options = counting(20);
    }
    talk.check_all_sizes();
}

PACKET_CASE("node_ingress", "errors that have IP options or extension headers themselves", over_icmp)
{
    const Conversation talk(about(kind));
    const auto with_more = [&](Packet packet) {
        packet.ip_options = counting(kind.v6 ? 0 : 8);
        if (kind.v6)
            packet.extensions = {{IPPROTO_DSTOPTS, Bytes(14)}};
        return packet;
    };
    const std::string node = talk.node_port.address;
    const std::string pod = talk.pod.at(kind).address;
    const std::string client = client_at(kind).address;
    const Packet in = icmp_error(router(kind), node, too_big(kind), carried(talk.heard, 25));
    const Packet in_pod = icmp_error(router(kind), pod, too_big(kind), carried(talk.answer, 25));
    check_translated(talk.programs.ingress(with_more(in)), with_more(in_pod));
    const Packet out = icmp_error(pod, client, too_big(kind), carried(talk.seen, 25));
    const Packet out_node = icmp_error(node, client, too_big(kind), carried(talk.asked, 25));
    check_translated(talk.programs.egress(with_more(out)), with_more(out_node));
}

PACKET_CASE("node_ingress", "errors about a flow that is shown under another client port", over_icmp)
{
    Conversation talk(about(kind));
    talk.clash();
    talk.check_all_sizes();
}

PACKET_CASE("node_ingress", "errors about a direct connection that is shown under another client port", over_icmp)
{
    Conversation talk(about(kind));
    const Packet first = to(request(talk.about), talk.pod.at(talk.about));
    const std::uint16_t shown = check_shown_otherwise(talk.programs.ingress(first), first, talk.pod.at(talk.about));
    const std::string pod = talk.pod.at(kind).address;
    const std::string client = client_at(kind).address;
    for (const std::size_t size : carried_sizes(talk.about)) {
        const auto out = [&](std::uint16_t port) {
            const Packet packet = from(first, client_at(kind, port));
            return icmp_error(pod, client, too_big(kind), carried(packet, size));
        };
        check_translated(talk.programs.egress(out(shown)), out(40000));
        const auto in = [&](std::uint16_t port) {
            const Packet packet = to(talk.answer, client_at(kind, port));
            return icmp_error(router(kind), pod, too_big(kind), carried(packet, size));
        };
        check_translated(talk.programs.ingress(in(40000)), in(shown));
    }
}

PACKET_CASE("node_egress", "a flow of datagrams ends where the pod says that nothing takes them", over_icmp)
{
    Conversation talk({kind.v6, IPPROTO_UDP});
    const TestPod young(8, "10.0.0.8", "fd00::8");
    const UniqueFd young_one = young.listen(talk.about);
    talk.programs.expose(talk.node_port, IPPROTO_UDP, {&young, &talk.pod});
    talk.check_error_from(talk.pod.at(kind).address, too_big(kind), 8);
    talk.check_error_from(router(kind), port_unreachable(kind), 8);  // not the pod's own word
    check_translated(talk.programs.ingress(talk.asked), talk.seen);

    talk.check_error_from(talk.pod.at(kind).address, port_unreachable(kind), 8);
    check_translated(talk.programs.ingress(talk.asked), to(talk.asked, young.at(kind)));
}

PACKET_CASE("node_egress", "a TCP connection doesn't end by an error", over_icmp)
{
    const Conversation talk({kind.v6, IPPROTO_TCP});
    for (const IcmpHeader& header : error_types(kind))
        talk.check_error_from(talk.pod.at(kind).address, header, 8);
    const auto flow = talk.programs.flow(flow_key_of(talk.pod.at(kind), client_at(kind), IPPROTO_TCP));
    REQUIRE(flow);
    CHECK((flow->state & abi::FLOW_RESET) == 0);
}

PACKET_CASE("node_ingress", "errors about other traffic stay as they are", over_icmp)
{
    const Conversation talk(about(kind));
    const std::string node = talk.node_port.address;
    const std::string pod = talk.pod.at(kind).address;
    const std::string client = client_at(kind).address;
    for (const Packet& other : {to(talk.heard, client_at(kind, 40001)), from(talk.heard, node_at(kind, 81)),
                                from(talk.heard, {router(kind), 80}), from(talk.heard, talk.pod.at(kind)),
                                to(from(talk.heard, client_at(kind)), talk.node_port)}) {
        const Packet error = icmp_error(router(kind), node, too_big(kind), carried(other, 20));
        check_untouched(talk.programs.ingress(error), error);
    }
    for (const Packet& other :
         {from(talk.seen, client_at(kind, 40001)), to(talk.seen, talk.pod.at(kind, 9081)),
          to(talk.seen, talk.node_port), to(from(talk.seen, talk.pod.at(kind)), client_at(kind))}) {
        const Packet error = icmp_error(pod, client, too_big(kind), carried(other, 20));
        check_untouched(talk.programs.egress(error), error);
    }
}

// Nobody asked for these, and so they prove nothing: an error goes to whom the packet that it carries came from.
PACKET_CASE("node_ingress", "errors to somebody else than the sender of what they carry stay as they are", over_icmp)
{
    const Conversation talk(about(kind));
    const std::string node = kind.v6 ? "2001:db8:1::2" : "198.51.100.2";
    const Packet in = icmp_error(router(kind), node, too_big(kind), carried(talk.heard, 20));
    check_untouched(talk.programs.ingress(in), in);
    const std::string client = kind.v6 ? "2001:db8:7::8" : "203.0.113.8";
    const Packet out = icmp_error(talk.pod.at(kind).address, client, too_big(kind), carried(talk.seen, 20));
    check_untouched(talk.programs.egress(out), out);
}

PACKET_CASE("node_ingress", "a carried checksum of a datagram that comes out as 0 is written as 0xffff", over_icmp)
{
    Conversation talk({kind.v6, IPPROTO_UDP});
    for (auto [ours, theirs] : {std::pair{&talk.asked, &talk.seen}, std::pair{&talk.answer, &talk.heard}}) {
        ours->payload = {0, 0};
        const std::uint16_t sum = ours->transport_sum();
        ours->payload = {static_cast<std::uint8_t>(sum >> 8), static_cast<std::uint8_t>(sum)};
        theirs->payload = ours->payload;
        REQUIRE(ours->transport_sum() == 0);
    }
    talk.check_all_sizes();
}

PACKET_CASE("node_ingress", "messages that are no errors stay as they are, whatever they carry", over_icmp)
{
    const Conversation talk(about(kind));
    for (const IcmpHeader& header : other_types(kind)) {
        CAPTURE(int{header.type});
        const Packet in = icmp_error(router(kind), talk.node_port.address, header, carried(talk.heard, 20));
        check_untouched(talk.programs.ingress(in), in);
        const Packet out =
            icmp_error(talk.pod.at(kind).address, client_at(kind).address, header, carried(talk.seen, 20));
        check_untouched(talk.programs.egress(out), out);
    }
}

PACKET_CASE("node_ingress", "errors that carry too little, or nothing of ours", over_icmp)
{
    const Conversation talk(about(kind));
    const Bytes whole = carried(talk.heard, 8);
    const auto check = [&](const Bytes& bytes) {
        const Packet error = icmp_error(router(kind), talk.node_port.address, too_big(kind), bytes);
        check_untouched(talk.programs.ingress(error), error);
    };
    for (std::size_t size = 0; size < whole.size(); size++)
        check(first(whole, size));
    for (const int protocol : {int{IPPROTO_ICMP}, int{IPPROTO_ICMPV6}, int{IPPROTO_SCTP}, int{IPPROTO_IPIP}}) {
        Packet other = talk.heard;
        other.protocol = static_cast<std::uint8_t>(protocol);
        check(carried(other, 8));
    }
    Packet large = talk.heard;
    large.payload = counting(100);
    check(without_link(large.fragments(48).at(1)));  // no ports in there
    for (const unsigned version : {0U, 4U, 5U, 6U, 15U}) {
        Bytes bytes = whole;
        bytes[0] = static_cast<std::uint8_t>(version << 4 | 5);
        if (version != (kind.v6 ? 6U : 4U))
            check(bytes);
    }
}

PACKET_CASE("node_ingress", "errors about the flow of a pod that is gone stay as they are", over_icmp)
{
    Conversation talk(about(kind));
    talk.pod.id = 8;
    talk.programs.expose(talk.node_port, talk.about.protocol, {&talk.pod});
    const Packet in = icmp_error(router(kind), talk.node_port.address, too_big(kind), carried(talk.heard, 8));
    check_untouched(talk.programs.ingress(in), in);
    const Packet out =
        icmp_error(talk.pod.at(kind).address, client_at(kind).address, too_big(kind), carried(talk.seen, 8));
    check_untouched(talk.programs.egress(out), out);
}
