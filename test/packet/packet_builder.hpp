// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Packets as values: what a test says of one, and the bytes that follow from it. Checksums are summed here, over the
// whole packet and as the RFCs say, not by the kernel and not by difference: two ways to the same bytes.
#pragma once

#include "support/sockets.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sallyport::test {

using Bytes = std::vector<std::uint8_t>;

namespace tcp_flag {
inline constexpr std::uint8_t fin = 0x01;
inline constexpr std::uint8_t syn = 0x02;
inline constexpr std::uint8_t rst = 0x04;
inline constexpr std::uint8_t ack = 0x10;
}  // namespace tcp_flag

/// An IPv6 extension header. `body` is what follows its first two bytes.
struct Extension
{
    std::uint8_t type = 0;
    Bytes body{};
};

/// An ICMP message's first 8 bytes, without the checksum. ICMPv6's are the same.
struct IcmpHeader
{
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t rest = 0;  ///< of "packet too big" the path's MTU
};

/// All numbers in host byte order. The addresses' family decides between IPv4 and IPv6.
struct Packet
{
    Target source;
    Target destination;
    std::uint8_t protocol = IPPROTO_TCP;  ///< one that is neither TCP nor UDP gets ports where they have them
    std::uint8_t flags = tcp_flag::syn;
    std::uint32_t sequence = 1000;
    std::uint32_t acknowledgement = 0;
    Bytes tcp_options{};  ///< a multiple of 4
    Bytes payload{'h', 'e', 'l', 'l', 'o'};
    bool udp_checksum = true;         ///< false: 0, "none"
    Bytes ip_options{};               ///< IPv4, a multiple of 4
    std::uint16_t fragment = 0x4000;  ///< IPv4: flags and offset; default DF
    std::uint32_t id = 0x1234;        ///< of the datagram, for fragments; IPv4 takes 16 bits of it
    std::vector<Extension> extensions{};
    std::optional<IcmpHeader> icmp{};  ///< then `protocol` is ICMP's or ICMPv6's, and there are no ports

    bool v6() const;
    std::size_t l3() const { return 14; }  ///< offsets of the headers
    std::size_t l4() const;
    std::size_t transport_header() const;  ///< its size
    Bytes bytes() const;                   ///< from the Ethernet header on
    std::uint16_t transport_sum() const;   ///< before UDP's 0 becomes 0xffff

    /// The datagram in fragments, each of `size` bytes of what can be cut (a multiple of 8), the last of what is left.
    /// IPv6: the fragment header comes after `extensions`.
    std::vector<Bytes> fragments(std::size_t size) const;
};

/// The packet without its Ethernet header.
Bytes without_link(const Bytes& frame);

/// Its first `transport` bytes of TCP or UDP, with all headers before them: what an ICMP error carries of it.
Bytes carried(const Packet& packet, std::size_t transport);

/// The first `size` bytes.
Bytes first(const Bytes& bytes, std::size_t size);

/// 6 -> {1, 2, 3, 4, 5, 6}
Bytes counting(std::size_t size);

}  // namespace sallyport::test
