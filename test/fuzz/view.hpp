// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a frame is, read anew from the RFCs: nothing here comes from bpf/. Where the programs may be choosy (how many
// extension headers, say), this reader isn't: it answers "could this belong to anybody", and the oracle asks it to show
// that a changed packet did.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sallyport::fuzz {

using Bytes = std::vector<std::uint8_t>;

/// IPv4 as v4-mapped.
using IpAddress = std::array<std::uint8_t, 16>;

struct End
{
    IpAddress address{};
    std::uint16_t port = 0;

    auto operator<=>(const End&) const = default;
};

struct Tuple
{
    std::uint8_t protocol = 0;
    End source;
    End destination;

    auto operator<=>(const Tuple&) const = default;
};

/// An IP header and what follows it: where things lie in the frame, and what they say.
struct IpView
{
    bool v6 = false;
    std::size_t l3 = 0;
    std::size_t l4 = 0;         ///< beyond options and extension headers
    std::uint8_t protocol = 0;  ///< of what lies at l4
    bool fragment = false;
    bool later_fragment = false;  ///< what lies at l4 is no header
    std::uint32_t fragment_id = 0;
    bool has_ports = false;
    Tuple tuple;  ///< ports are 0 where there are none

    std::size_t source_at() const { return l3 + (v6 ? 8 : 12); }
    std::size_t destination_at() const { return source_at() + address_size(); }
    std::size_t address_size() const { return v6 ? 16 : 4; }
};

inline constexpr std::size_t ethernet = 14;  ///< its header

enum class Shape {
    nothing,  ///< not IP, or broken, or of a protocol that nobody translates
    transport,
    later_fragment,
    icmp_error,
};

struct View
{
    Shape shape = Shape::nothing;
    IpView outer;
    IpView inner;  ///< of an ICMP error: the packet that it is about
};

View view_of(const Bytes& frame);

/// Where a TCP or UDP checksum lies; nullopt where the frame ends before.
std::optional<std::size_t> checksum_at(const Bytes& frame, const IpView& ip);

}  // namespace sallyport::fuzz
