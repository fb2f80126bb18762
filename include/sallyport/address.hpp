// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// IP addresses and prefixes as values: IPv4 and IPv6 in one 16-byte form, the same that the BPF programs use.
// Knows nothing of sockets, devices or the node it runs on.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// An IPv4 or IPv6 address, network byte order. IPv4 is held v4-mapped (RFC 4291, 2.5.5.2), so `::ffff:192.0.2.1` and
/// `192.0.2.1` are the same value.
class Address
{
public:
    using Bytes = std::array<std::uint8_t, 16>;

    constexpr Address() = default;  ///< `::`, the IPv6 "any"
    explicit constexpr Address(const Bytes& bytes) : bytes_(bytes) {}

    static constexpr Address any_v4() { return Address(Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}); }
    static constexpr Address any_v6() { return Address(); }

    /// Reads `192.0.2.1` or `2001:db8::1`; no brackets, no zone, no prefix length. nullopt if it is neither.
    static std::optional<Address> parse(std::string_view text);

    /// Reads `192.0.2.1/24` or a bare address: one of an interface. The length is checked and dropped.
    static std::optional<Address> parse_with_length(std::string_view text);

    bool is_v4() const;
    bool is_any() const;         ///< 0.0.0.0 or ::
    bool is_loopback() const;    ///< 127.0.0.0/8 or ::1
    bool is_localhost() const;   ///< 127.0.0.1 or ::1: of loopback, what node ports are answered on
    bool is_link_local() const;  ///< 169.254.0.0/16 or fe80::/10
    bool is_multicast() const;   ///< 224.0.0.0/4 or ff00::/8

    const Bytes& bytes() const { return bytes_; }
    std::string to_string() const;  ///< `192.0.2.1`, `2001:db8::1`

    auto operator<=>(const Address&) const = default;

private:
    Bytes bytes_{};
};

/// `[2001:db8::1]` or `192.0.2.1`: the form in which a port may follow.
std::string bracketed(const Address& address);

/// An address prefix. `length` counts bits of the 16-byte form: 96 to 128 for IPv4.
struct Prefix
{
    Address address;  ///< bits past the length are zero
    unsigned length = 128;

    /// Reads `192.0.2.0/24`, `2001:db8::/64` or a bare address (all its bits). nullopt if the text is none of these,
    /// the length is out of range, or bits past the length are set.
    static std::optional<Prefix> parse(std::string_view text);

    bool contains(const Address& candidate) const;
    std::string to_string() const;  ///< with the length of the family: `192.0.2.0/24`

    auto operator<=>(const Prefix&) const = default;
};

}  // namespace sallyport
