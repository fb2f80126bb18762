// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What fixture.hpp has beside the kernel's part: who talks to whom, what is expected, and the record of what was tried.
#include "fixture.hpp"

namespace sallyport::test {

std::ostream& operator<<(std::ostream& out, const Kind& kind)
{
    return out << (kind.v6 ? "IPv6" : "IPv4") << '/'
               << (kind.protocol == IPPROTO_TCP                                       ? "TCP"
                   : kind.protocol == IPPROTO_UDP                                     ? "UDP"
                   : kind.protocol == IPPROTO_ICMP || kind.protocol == IPPROTO_ICMPV6 ? "ICMP"
                                                                                      : std::to_string(kind.protocol));
}

std::ostream& operator<<(std::ostream& out, const Pair& pair)
{
    return out << pair.program << ' ' << pair.kind;
}

std::set<Pair>& claimed()
{
    static std::set<Pair> pairs;
    return pairs;
}

std::set<Pair>& tried()
{
    static std::set<Pair> pairs;
    return pairs;
}

Target node_at(Kind kind, std::uint16_t port)
{
    return {kind.v6 ? "2001:db8:1::1" : "198.51.100.1", port};
}

Target client_at(Kind kind, std::uint16_t port)
{
    return {kind.v6 ? "2001:db8:7::7" : "203.0.113.7", port};
}

Packet request(Kind kind, std::uint16_t client_port)
{
    return {.source = client_at(kind, client_port), .destination = node_at(kind), .protocol = kind.protocol};
}

Packet reply(const TestPod& pod, Kind kind, std::uint16_t client_port)
{
    return {.source = pod.at(kind),
            .destination = client_at(kind, client_port),
            .protocol = kind.protocol,
            .flags = tcp_flag::syn | tcp_flag::ack,
            .sequence = server_isn,
            .acknowledgement = 1001};
}

Packet with_flags(Packet packet, unsigned flags, std::uint32_t acknowledgement)
{
    packet.flags = static_cast<std::uint8_t>(flags);
    packet.acknowledgement = acknowledgement;
    return packet;
}

Packet to(Packet packet, const Target& destination)
{
    packet.destination = destination;
    return packet;
}

Packet from(Packet packet, const Target& source)
{
    packet.source = source;
    return packet;
}

namespace {

/// So that a failed comparison can be read.
std::string hex(const Bytes& bytes)
{
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        text += i % 16 == 14 ? " " : "";  // lines up with the IP header
        text += {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    }
    return text;
}

}  // namespace

void check_bytes(const Outcome& outcome, const Bytes& expected, Where where)
{
    INFO("checked at " << where.file_name() << ':' << where.line());
    CHECK(outcome.verdict == verdict_next);
    CHECK(hex(outcome.out) == hex(expected));
}

void check_translated(const Outcome& outcome, const Packet& expected, Where where)
{
    check_bytes(outcome, expected.bytes(), where);
}

void check_untouched(const Outcome& outcome, const Packet& in, Where where)
{
    check_bytes(outcome, in.bytes(), where);
}

void check_endpoint(const abi::endpoint& found, const Target& expected, std::uint8_t protocol)
{
    const abi::endpoint wanted = endpoint_of(expected, protocol);
    CHECK(std::memcmp(&found, &wanted, sizeof wanted) == 0);
}

void check_dropped(const Outcome& outcome, Where where)
{
    INFO("checked at " << where.file_name() << ':' << where.line());
    CHECK(outcome.verdict == verdict_drop);
}

std::uint16_t check_shown_otherwise(const Outcome& outcome, const Packet& in, const Target& destination, Where where)
{
    INFO("checked at " << where.file_name() << ':' << where.line());
    const std::size_t at = in.l4();
    REQUIRE(outcome.out.size() > at + 1);
    const auto shown = static_cast<std::uint16_t>(outcome.out[at] << 8 | outcome.out[at + 1]);
    CHECK(shown != in.source.port);
    CHECK(shown >= 1024);
    check_translated(outcome, to(from(in, {in.source.address, shown}), destination), where);
    return shown;
}

void open_flow(const Programs& programs, const TestPod& pod, Kind kind, std::uint16_t client_port)
{
    const Packet first = request(kind, client_port);
    const Packet answer = reply(pod, kind, client_port);
    check_translated(programs.ingress(first), to(first, pod.at(kind)));
    check_translated(programs.egress(answer), from(answer, node_at(kind)));
    if (!kind.tcp())
        return;
    const Packet last = with_flags(first, tcp_flag::ack);
    check_translated(programs.ingress(last), to(last, pod.at(kind)));
}

OneGateway::OneGateway(Kind kind, const LoadOptions& options)
    : programs(options),
      listener(pod.listen(kind)),
      node_port(node_at(kind))
{
    programs.expose(node_port, kind.protocol, {&pod});
}

}  // namespace sallyport::test
