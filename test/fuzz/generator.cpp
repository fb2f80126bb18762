// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "generator.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace sallyport::fuzz {
namespace {

using test::Packet;
namespace tcp_flag = test::tcp_flag;

constexpr std::size_t longest = 3000;  // what a test run takes is less than a page
constexpr std::uint16_t more_fragments = 0x2000;

/// The kernel's test run refuses a frame without payload, and one that says "IP" and ends within the fixed header.
bool kernel_takes(const Bytes& frame)
{
    if (frame.size() <= ethernet || frame.size() > longest)
        return false;
    const unsigned type = unsigned{frame[12]} << 8 | frame[13];
    return frame.size() >= ethernet + (type == 0x0800 ? 20 : type == 0x86dd ? 40 : 1);
}

void append_address(Bytes& bytes, const std::string& text, bool v6)
{
    const IpAddress address = address_of(text);
    bytes.insert(bytes.end(), address.begin() + (v6 ? 0 : 12), address.end());
}

std::uint16_t checksum(const Bytes& bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at < bytes.size(); at++)
        sum += at % 2 == 0 ? unsigned{bytes[at]} << 8 : bytes[at];
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>(~sum);
}

void set16(Bytes& bytes, std::size_t at, unsigned value)
{
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

void mend_ipv4_header(Bytes& frame)
{
    if (frame.size() < ethernet + 20 || frame[12] != 8 || frame[13] != 0)
        return;
    const std::size_t size = (frame[ethernet] & 15U) * 4;
    if (size < 20 || frame.size() < ethernet + size)
        return;
    set16(frame, ethernet + 10, 0);
    const auto begin = frame.begin() + ethernet;
    set16(frame, ethernet + 10, checksum(Bytes(begin, begin + static_cast<std::ptrdiff_t>(size))));
}

Bytes icmp_message(const std::string& source, const std::string& destination, std::uint8_t type, std::uint8_t code,
                   const Bytes& embedded)
{
    const bool v6 = source.find(':') != std::string::npos;
    Bytes message{type, code, 0, 0, 0, 0, 5, 0};
    message.insert(message.end(), embedded.begin(), embedded.end());
    Bytes pseudo_header;
    if (v6) {
        append_address(pseudo_header, source, true);
        append_address(pseudo_header, destination, true);
        pseudo_header.insert(pseudo_header.end(), {0, 0, 0, 0, 0, 0, 0, IPPROTO_ICMPV6});
        set16(pseudo_header, 34, static_cast<unsigned>(message.size()));
    }
    Bytes covered = pseudo_header;
    covered.insert(covered.end(), message.begin(), message.end());
    set16(message, 2, checksum(covered));

    Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    const Bytes header = v6 ? Bytes{0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, IPPROTO_ICMPV6, 64}
                            : Bytes{8, 0, 0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, IPPROTO_ICMP, 0, 0};
    frame.insert(frame.end(), header.begin(), header.end());
    set16(frame, v6 ? 18 : 16, static_cast<unsigned>(message.size() + (v6 ? 0 : 20)));
    append_address(frame, source, v6);
    append_address(frame, destination, v6);
    mend_ipv4_header(frame);
    frame.insert(frame.end(), message.begin(), message.end());
    return frame;
}

void Generator::add_options(Packet& packet)
{
    if (!packet.v6() && dice_.chance(15))
        packet.ip_options = Bytes(4 * (1 + dice_.below(10)), 1);
    if (packet.protocol == IPPROTO_TCP && dice_.chance(15))
        packet.tcp_options = Bytes(4 * (1 + dice_.below(10)), 1);
    const std::array<std::uint8_t, 4> types{IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH};
    while (packet.v6() && dice_.chance(20))
        packet.extensions.push_back({dice_.pick(types), Bytes(6 + 8 * dice_.below(4))});
}

Packet Generator::packet(bool v6, const Target& source, const Target& destination, bool reply)
{
    constexpr std::array<unsigned, 6> flags{
        tcp_flag::syn, tcp_flag::syn, tcp_flag::ack, tcp_flag::ack, tcp_flag::fin | tcp_flag::ack, tcp_flag::rst};
    Packet packet{.source = source, .destination = destination};
    packet.protocol = dice_.chance(50) ? IPPROTO_TCP : IPPROTO_UDP;
    packet.flags = static_cast<std::uint8_t>(dice_.pick(flags) | (reply && dice_.chance(50) ? tcp_flag::ack : 0U));
    packet.sequence = reply ? test::server_isn : 1000;
    packet.acknowledgement = reply ? 1001 : test::server_isn + 1;
    packet.payload = Bytes(dice_.chance(90) ? dice_.below(64) : dice_.below(1400), dice_.byte());
    packet.udp_checksum = v6 || dice_.chance(80);
    add_options(packet);
    return packet;
}

/// The first, one in the middle, or the last; of one of a few datagrams.
Bytes Generator::fragment_of(Packet packet)
{
    const auto offset = static_cast<std::uint16_t>(dice_.chance(50) ? 0 : 1 + dice_.below(180));
    const bool more = offset == 0 || dice_.chance(50);
    const auto id = static_cast<std::uint8_t>(dice_.below(4));
    if (packet.v6()) {
        const unsigned field = offset * 8U | (more ? 1U : 0U);
        packet.extensions.push_back(
            {IPPROTO_FRAGMENT, {static_cast<std::uint8_t>(field >> 8), static_cast<std::uint8_t>(field), 0, 0, 0, id}});
        return packet.bytes();
    }
    packet.fragment = static_cast<std::uint16_t>(offset | (more ? more_fragments : 0));
    Bytes bytes = packet.bytes();
    bytes[ethernet + 5] = id;
    mend_ipv4_header(bytes);
    return bytes;
}

Frame Generator::icmp_error(bool v6)
{
    const Cast& cast = stage_.cast(v6);
    const Way way = dice_.chance(50) ? Way::in : Way::out;
    const Target& client = dice_.pick(cast.clients);
    const Target& other = dice_.pick(way == Way::in ? cast.node_ends : cast.backends);
    // What it is about went the other way.
    Packet about = way == Way::in ? packet(v6, other, client, true) : packet(v6, client, other, false);
    if (dice_.chance(60))
        about.extensions.clear(), about.ip_options.clear();
    Bytes embedded = dice_.chance(90) ? about.bytes() : fragment_of(about);
    if (dice_.chance(5))  // an error about an error
        embedded = icmp_message(about.source.address, about.destination.address, v6 ? 1 : 3, 1, embedded);
    embedded.erase(embedded.begin(), embedded.begin() + ethernet);
    const std::size_t header = about.l4() - ethernet;
    if (dice_.chance(50))
        embedded.resize(std::min(embedded.size(), header + 8));  // all that RFC 792 asks for
    else if (dice_.chance(30))
        embedded.resize(dice_.below(embedded.size()));

    constexpr std::array<std::uint8_t, 5> v4_types{3, 3, 11, 12, 5}, v6_types{1, 2, 3, 4, 128};
    const std::uint8_t type = dice_.pick(v6 ? v6_types : v4_types);
    const auto code = static_cast<std::uint8_t>(dice_.below(5));
    const std::string sender = dice_.chance(50)   ? about.destination.address
                               : dice_.chance(50) ? dice_.pick(cast.strangers)
                                                  : dice_.pick(cast.node_ends).address;
    const std::string& receiver = dice_.chance(95) ? about.source.address : dice_.pick(cast.node_ends).address;
    return {way, icmp_message(sender, receiver, type, code, embedded)};
}

Frame Generator::sound()
{
    const bool v6 = dice_.chance(50);
    const Cast& cast = stage_.cast(v6);
    if (dice_.chance(15))
        return icmp_error(v6);

    const Target& client = dice_.pick(cast.clients);
    Packet made = packet(v6, client, dice_.pick(cast.node_ends), false);
    Way way = Way::in;
    if (dice_.chance(40)) {
        way = Way::out;
        made = packet(v6, dice_.pick(cast.backends), client, true);
    } else if (dice_.chance(10)) {
        made = packet(v6, client, dice_.pick(cast.backends), false);  // direct
    } else if (dice_.chance(5)) {
        made = packet(v6, {dice_.pick(cast.strangers), 80}, {dice_.pick(cast.strangers), 443}, false);
    }
    return {way, dice_.chance(15) ? fragment_of(made) : made.bytes()};
}

Bytes Generator::noise()
{
    Bytes bytes(15 + dice_.below(200));
    std::generate(bytes.begin(), bytes.end(), [&] { return dice_.byte(); });
    if (dice_.chance(80)) {
        const bool v6 = dice_.chance(50);
        set16(bytes, 12, v6 ? 0x86dd : 0x0800);
        bytes[14] = static_cast<std::uint8_t>((v6 ? 0x60 : 0x40) | (bytes[14] & 15));
    }
    return bytes;
}

Frame Generator::next()
{
    for (;;) {
        Frame frame = sound();
        if (dice_.chance(4))
            frame.bytes = noise();
        const Bytes whole = frame.bytes;
        for (unsigned blows = 0; blows < 3 && dice_.chance(45); blows++)
            damage(frame.bytes, last_, dice_);
        last_ = whole;
        if (dice_.chance(3))
            frame.way = frame.way == Way::in ? Way::out : Way::in;
        if (kernel_takes(frame.bytes))
            return frame;
    }
}

}  // namespace sallyport::fuzz
