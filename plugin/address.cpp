// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/address.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace sallyport {
namespace {

constexpr std::size_t v4_offset = 12;  // of the four bytes of an IPv4 address in its v4-mapped form
constexpr unsigned v4_prefix_bits = 96;
constexpr unsigned all_bits = 128;

bool bit_is_set(const Address::Bytes& bytes, unsigned bit)
{
    return (bytes[bit / 8] & (0x80u >> (bit % 8))) != 0;
}

bool is_below(const Address::Bytes& bytes, const Address::Bytes& prefix, unsigned length)
{
    for (unsigned bit = 0; bit < length; ++bit)
        if (bit_is_set(bytes, bit) != bit_is_set(prefix, bit))
            return false;
    return true;
}

/// The two halves of `address/length`; bits past the length may be set. Without a length: all bits.
std::optional<Prefix> split(std::string_view text)
{
    const std::size_t slash = text.find('/');
    const std::string_view host = text.substr(0, slash);
    const auto address = Address::parse(host);
    if (!address)
        return std::nullopt;
    if (slash == std::string_view::npos)
        return Prefix{*address, all_bits};

    const std::string_view digits = text.substr(slash + 1);
    const unsigned skipped = host.find(':') == std::string_view::npos ? v4_prefix_bits : 0;
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    const bool leading_zero = digits.size() > 1 && digits[0] == '0';
    if (error != std::errc() || end != digits.data() + digits.size() || leading_zero || length > all_bits - skipped)
        return std::nullopt;
    return Prefix{*address, length + skipped};
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text)
{
    const std::string terminated(text);
    if (terminated.find('\0') != std::string::npos)
        return std::nullopt;  // inet_pton would stop there and accept what follows

    Bytes bytes = any_v4().bytes();
    if (inet_pton(AF_INET, terminated.c_str(), &bytes[v4_offset]) == 1)
        return Address(bytes);
    if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1)
        return Address(bytes);
    return std::nullopt;
}

std::optional<Address> Address::parse_with_length(std::string_view text)
{
    const auto prefix = split(text);
    return prefix ? std::optional(prefix->address) : std::nullopt;
}

bool Address::is_v4() const
{
    return is_below(bytes_, any_v4().bytes(), v4_prefix_bits);
}

bool Address::is_any() const
{
    return *this == any_v4() || *this == any_v6();
}

bool Address::is_loopback() const
{
    if (is_v4())
        return bytes_[v4_offset] == 127;
    Bytes loopback{};
    loopback.back() = 1;
    return bytes_ == loopback;
}

bool Address::is_localhost() const
{
    return is_loopback() && bytes_.back() == 1 &&
           (!is_v4() || (bytes_[v4_offset + 1] == 0 && bytes_[v4_offset + 2] == 0));
}

bool Address::is_link_local() const
{
    if (is_v4())
        return bytes_[v4_offset] == 169 && bytes_[v4_offset + 1] == 254;
    return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool Address::is_multicast() const
{
    return is_v4() ? (bytes_[v4_offset] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

std::string Address::to_string() const
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4())
        inet_ntop(AF_INET, &bytes_[v4_offset], text.data(), text.size());
    else
        inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
    return text.data();
}

std::string bracketed(const Address& address)
{
    return address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
}

std::optional<Prefix> Prefix::parse(std::string_view text)
{
    const auto prefix = split(text);
    if (!prefix)
        return std::nullopt;
    for (unsigned bit = prefix->length; bit < all_bits; ++bit)
        if (bit_is_set(prefix->address.bytes(), bit))
            return std::nullopt;
    return prefix;
}

bool Prefix::contains(const Address& candidate) const
{
    return candidate.is_v4() == address.is_v4() && is_below(candidate.bytes(), address.bytes(), length);
}

std::string Prefix::to_string() const
{
    return address.to_string() + "/" + std::to_string(address.is_v4() ? length - v4_prefix_bits : length);
}

}  // namespace sallyport
