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
    std::vector<Extension> extensions{};

    bool v6() const;
    std::size_t l3() const { return 14; }  ///< offsets of the headers
    std::size_t l4() const;
    std::size_t transport_header() const;  ///< its size
    Bytes bytes() const;                   ///< from the Ethernet header on
    std::uint16_t transport_sum() const;   ///< before UDP's 0 becomes 0xffff
};

/// 6 -> {1, 2, 3, 4, 5, 6}
Bytes counting(std::size_t size);

}  // namespace sallyport::test
