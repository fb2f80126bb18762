// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "packet_builder.hpp"

#include "sallyport/address.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace sallyport::test {

namespace {

void put8(Bytes& out, unsigned value)
{
    out.push_back(static_cast<std::uint8_t>(value));
}

void put16(Bytes& out, unsigned value)
{
    put8(out, value >> 8);
    put8(out, value);
}

void put32(Bytes& out, std::uint32_t value)
{
    put16(out, value >> 16);
    put16(out, value);
}

void put(Bytes& out, const Bytes& bytes)
{
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void set16(Bytes& out, std::size_t at, unsigned value)
{
    out.at(at) = static_cast<std::uint8_t>(value >> 8);
    out.at(at + 1) = static_cast<std::uint8_t>(value);
}

/// 4 or 16 bytes.
Bytes address_bytes(const Target& end)
{
    const auto address = Address::parse(end.address);
    if (!address)
        throw std::invalid_argument("not an address: " + end.address);
    // "::ffff:a.b.c.d" is an IPv6 address here: on the wire it takes 16 bytes.
    const bool v6 = end.address.find(':') != std::string::npos;
    return {address->bytes().begin() + (v6 ? 0 : 12), address->bytes().end()};
}

/// RFC 1071: the ones' complement of the ones' complement sum of 16-bit words.
std::uint16_t checksum(const Bytes& bytes)
{
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i++)
        sum += i % 2 == 0 ? static_cast<std::uint64_t>(bytes[i]) << 8 : bytes[i];
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>(~sum);
}

/// Its checksum is 0.
Bytes transport(const Packet& packet)
{
    Bytes out;
    if (packet.icmp) {
        put8(out, packet.icmp->type);
        put8(out, packet.icmp->code);
        put16(out, 0);
        put32(out, packet.icmp->rest);
        put(out, packet.payload);
        return out;
    }
    put16(out, packet.source.port);
    put16(out, packet.destination.port);
    if (packet.protocol == IPPROTO_TCP) {
        put32(out, packet.sequence);
        put32(out, packet.acknowledgement);
        put8(out, static_cast<unsigned>((20 + packet.tcp_options.size()) / 4) << 4);
        put8(out, packet.flags);
        put16(out, 64240);
        put32(out, 0);  // checksum, urgent pointer
        put(out, packet.tcp_options);
    } else {
        put16(out, static_cast<unsigned>(8 + packet.payload.size()));
        put16(out, 0);
    }
    put(out, packet.payload);
    return out;
}

/// With its checksum.
Bytes summed_transport(const Packet& packet)
{
    Bytes out = transport(packet);
    const std::uint16_t sum = packet.transport_sum();
    if (packet.icmp)
        set16(out, 2, sum);
    else if (packet.protocol == IPPROTO_TCP)
        set16(out, 16, sum);
    else if (packet.protocol == IPPROTO_UDP && packet.udp_checksum)
        set16(out, 6, sum == 0 ? 0xffff : sum);
    return out;
}

void put_ipv4(Bytes& out, const Packet& packet, std::size_t payload)
{
    Bytes header;
    put8(header, 0x40 | static_cast<unsigned>((20 + packet.ip_options.size()) / 4));
    put8(header, 0);
    put16(header, static_cast<unsigned>(20 + packet.ip_options.size() + payload));
    put16(header, packet.id);
    put16(header, packet.fragment);
    put8(header, 64);
    put8(header, packet.protocol);
    put16(header, 0);
    put(header, address_bytes(packet.source));
    put(header, address_bytes(packet.destination));
    put(header, packet.ip_options);
    set16(header, 10, checksum(header));
    put(out, header);
}

void put_ipv6(Bytes& out, const Packet& packet, std::size_t payload)
{
    for (const Extension& extension : packet.extensions)
        payload += 2 + extension.body.size();
    put32(out, 0x60000000);
    put16(out, static_cast<unsigned>(payload));
    put8(out, packet.extensions.empty() ? packet.protocol : packet.extensions.front().type);
    put8(out, 64);
    put(out, address_bytes(packet.source));
    put(out, address_bytes(packet.destination));
    for (std::size_t i = 0; i < packet.extensions.size(); i++) {
        const Extension& extension = packet.extensions[i];
        const std::size_t size = 2 + extension.body.size();
        put8(out, i + 1 < packet.extensions.size() ? packet.extensions[i + 1].type : packet.protocol);
        put8(out, static_cast<unsigned>(extension.type == IPPROTO_AH ? size / 4 - 2 : size / 8 - 1));
        put(out, extension.body);
    }
}

/// A frame of the packet's headers and of `payload`, which is its transport header and what follows, or a part of that.
Bytes frame(const Packet& packet, const Bytes& payload)
{
    Bytes out{0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2};
    put16(out, packet.v6() ? 0x86dd : 0x0800);
    if (packet.v6())
        put_ipv6(out, packet, payload.size());
    else
        put_ipv4(out, packet, payload.size());
    put(out, payload);
    return out;
}

Extension fragment_header(std::size_t offset, bool more, std::uint32_t id)
{
    Extension extension{IPPROTO_FRAGMENT};
    put16(extension.body, static_cast<unsigned>(offset | (more ? 1 : 0)));
    put32(extension.body, id);
    return extension;
}

}  // namespace

bool Packet::v6() const
{
    return destination.address.find(':') != std::string::npos;
}

std::size_t Packet::l4() const
{
    if (!v6())
        return l3() + 20 + ip_options.size();
    return std::accumulate(extensions.begin(), extensions.end(), l3() + 40,
                           [](std::size_t sum, const Extension& next) { return sum + 2 + next.body.size(); });
}

std::size_t Packet::transport_header() const
{
    return protocol == IPPROTO_TCP ? 20 + tcp_options.size() : 8;
}

std::uint16_t Packet::transport_sum() const
{
    const Bytes segment = transport(*this);
    if (icmp && !v6())
        return checksum(segment);  // RFC 792: of the message alone
    Bytes summed = address_bytes(source);
    put(summed, address_bytes(destination));
    put32(summed, static_cast<std::uint32_t>(segment.size()));
    put32(summed, protocol);
    put(summed, segment);
    return checksum(summed);
}

Bytes Packet::bytes() const
{
    return frame(*this, summed_transport(*this));
}

std::vector<Bytes> Packet::fragments(std::size_t size) const
{
    const Bytes whole = summed_transport(*this);
    std::vector<Bytes> frames;
    for (std::size_t at = 0; at < whole.size(); at += size) {
        const std::size_t end = std::min(at + size, whole.size());
        const bool more = end < whole.size();
        Packet piece = *this;
        if (v6())
            piece.extensions.push_back(fragment_header(at, more, id));
        else
            piece.fragment = static_cast<std::uint16_t>(at / 8 | (more ? 0x2000U : 0U));
        const auto begin = whole.begin();
        frames.push_back(
            frame(piece, Bytes(begin + static_cast<std::ptrdiff_t>(at), begin + static_cast<std::ptrdiff_t>(end))));
    }
    return frames;
}

Bytes without_link(const Bytes& frame)
{
    return {frame.begin() + 14, frame.end()};
}

Bytes carried(const Packet& packet, std::size_t transport)
{
    return without_link(first(packet.bytes(), packet.l4() + transport));
}

Bytes first(const Bytes& bytes, std::size_t size)
{
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(size, bytes.size()))};
}

Bytes counting(std::size_t size)
{
    Bytes bytes(size);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
    return bytes;
}

}  // namespace sallyport::test
