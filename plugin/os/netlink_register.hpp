// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a rule of nftables has in its registers while it runs, and what it means to compare that; for the netlink files
// alone. The kernel has sixteen registers of four bytes, NFT_REG32_00 and on, of which NFT_REG_1 to NFT_REG_4 name four
// at once. What is longer lies in as many as it needs, and a concatenation one behind the other.
#pragma once

#include "netlink_attribute.hpp"

#include "sallyport/packet_filter.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace sallyport::netlink {

inline constexpr unsigned register_size = 4;  // bytes
inline constexpr unsigned register_count = 16;

/// The index of the first register of four bytes, from 0, by nftables' number. For NFT_REG_VERDICT, and where there is
/// no such register: register_count.
unsigned register_index(std::uint32_t number);

/// What an expression has put into a register: of which part of a packet it is.
struct Loaded
{
    RuleCondition::On what = RuleCondition::On::something;
    bool by_index = false;           ///< of a device: its number, not its name
    std::uint32_t mask = 0;          ///< of a connection's state
    std::optional<unsigned> bits{};  ///< of an address: so many of its first ones; nullopt: all that are compared
};

/// Of which IP version the packets are; a rule of an inet table asks for one before it looks at addresses.
struct RuleFamily
{
    bool v4 = false;
    bool known = false;
};

/// "Its content is `value`." One that isn't read where that can't be told. A comparison of the family itself is noted
/// in `family`.
RuleCondition compared(const Loaded& loaded, Bytes value, RuleFamily& family);

/// "Its content lies from `first` to `last`", both included.
RuleCondition compared(const Loaded& loaded, Bytes first, Bytes last, RuleFamily& family);

/// A part of a key that registers make up: all of it, where it is no concatenation.
struct KeyPart
{
    Loaded loaded;
    std::size_t offset = 0;  ///< bytes
    std::size_t size = 0;    ///< bytes
};

/// "They are those of `key`", or of one up to `last`, where that isn't empty; an empty `key` is one that isn't known.
std::vector<RuleCondition> compared(const std::vector<KeyPart>& parts, Bytes key, Bytes last, RuleFamily& family);

/// What is loaded after the mask.
Loaded masked(Loaded loaded, Bytes mask);

class Registers
{
public:
    void load(unsigned index, const Loaded& what, std::size_t size);
    Loaded at(unsigned index) const;

    /// Of a key of `size` bytes in the registers from `index` on. Empty where nothing has been loaded there.
    std::vector<KeyPart> parts(unsigned index, std::size_t size) const;

private:
    std::map<unsigned, Loaded> registers_{};
};

/// The registers' constants.
class Constants
{
public:
    /// From register `index` on. What is longer than the registers is cut off.
    void put(unsigned index, Bytes bytes);

    /// nullopt where they aren't constants.
    std::optional<Address> address(unsigned index, bool v4) const;
    std::optional<std::uint16_t> port(unsigned index) const;  ///< host byte order

private:
    std::array<std::optional<std::array<std::byte, register_size>>, register_count> registers_{};
};

}  // namespace sallyport::netlink
