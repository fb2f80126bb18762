// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors as packets: of every type, from anybody, about anything.
#pragma once

#include "fixture.hpp"

namespace sallyport::test {

/// "Fragmentation needed" or "packet too big": what path-MTU discovery lives on.
inline IcmpHeader too_big(Kind kind)
{
    return kind.v6 ? IcmpHeader{2, 0, 1280} : IcmpHeader{3, 4, 1280};
}

inline IcmpHeader port_unreachable(Kind kind)
{
    return kind.v6 ? IcmpHeader{1, 4} : IcmpHeader{3, 3};
}

/// All types that carry a packet (RFC 792, RFC 4443).
inline std::vector<IcmpHeader> error_types(Kind kind)
{
    if (kind.v6)
        return {too_big(kind), port_unreachable(kind), {1, 0}, {3, 0}, {4, 1, 40}};
    return {too_big(kind), port_unreachable(kind), {3, 1}, {11, 0}, {12, 0, 0x14000000}};
}

/// What carries a packet too, or could, and is no error.
inline std::vector<IcmpHeader> other_types(Kind kind)
{
    if (kind.v6)
        return {{0, 0}, {5, 0}, {127, 0}, {128, 0, 0x10001}, {129, 0, 0x10001}, {135, 0}, {137, 0}};
    return {{0, 0, 0x10001}, {4, 0}, {5, 1}, {8, 0, 0x10001}, {13, 0}};
}

inline Packet icmp_error(const std::string& source, const std::string& destination, const IcmpHeader& header,
                         const Bytes& about)
{
    const bool v6 = source.find(':') != std::string::npos;
    return {.source = {source},
            .destination = {destination},
            .protocol = v6 ? std::uint8_t{IPPROTO_ICMPV6} : std::uint8_t{IPPROTO_ICMP},
            .payload = about,
            .icmp = header};
}

/// The pod's own refusal of the client's first packet: RST, or "port unreachable".
inline Packet refusal(const TestPod& pod, Kind kind, std::uint16_t client_port = 40000)
{
    if (!kind.tcp())
        return icmp_error(pod.at(kind).address, client_at(kind).address, port_unreachable(kind),
                          carried(to(request(kind, client_port), pod.at(kind)), 8));
    Packet packet = with_flags(reply(pod, kind, client_port), tcp_flag::rst | tcp_flag::ack);
    packet.sequence = 0;
    packet.acknowledgement = 1001;
    return packet;
}

/// The same as the client sees it.
inline Packet refusal_by_node(Kind kind, std::uint16_t client_port = 40000)
{
    if (!kind.tcp())
        return icmp_error(node_at(kind).address, client_at(kind).address, port_unreachable(kind),
                          carried(request(kind, client_port), 8));
    Packet packet{.source = node_at(kind),
                  .destination = client_at(kind, client_port),
                  .protocol = kind.protocol,
                  .flags = tcp_flag::rst | tcp_flag::ack,
                  .sequence = 0,
                  .acknowledgement = 1001};
    return packet;
}

inline std::string router(Kind kind)
{
    return kind.v6 ? "2001:db8:8::1" : "192.0.2.1";
}

/// How much of a transport header an error may carry: the 8 bytes that RFC 792 asks for; to just before and just after
/// the checksum; the header; some payload, an odd number of bytes; all.
inline std::vector<std::size_t> carried_sizes(Kind kind)
{
    return kind.tcp() ? std::vector<std::size_t>{8, 16, 18, 20, 23, 25} : std::vector<std::size_t>{8, 11, 13};
}

}  // namespace sallyport::test
