// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "netlink_register.hpp"

#include "xt_extension.hpp"

#include <netinet/in.h>  // before the kernel's own headers

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

namespace sallyport::netlink {

namespace {

using On = RuleCondition::On;

/// How many leading bits are set, if no other one is.
std::optional<unsigned> length_of_mask(Bytes mask)
{
    unsigned length = 0;
    bool ended = false;
    for (const std::byte byte : mask) {
        const auto ones = static_cast<unsigned>(std::countl_one(std::to_integer<std::uint8_t>(byte)));
        if (std::popcount(std::to_integer<std::uint8_t>(byte)) != static_cast<int>(ones) || (ended && ones > 0))
            return std::nullopt;
        length += ones;
        ended = ended || ones < 8;
    }
    return length;
}

std::string device_of(Bytes index)
{
    std::uint32_t number = 0;
    std::array<char, IF_NAMESIZE> name{};
    if (index.size() == sizeof number)
        std::memcpy(&number, index.data(), sizeof number);
    return ::if_indextoname(number, name.data()) ? name.data() : "";
}

/// Compared up to its zero it is a name, without one the beginning of names.
std::string pattern_of(Bytes value)
{
    const std::string all(reinterpret_cast<const char*>(value.data()), value.size());
    const std::size_t zero = all.find('\0');
    return zero == std::string::npos ? all + '+' : all.substr(0, zero);
}

std::uint16_t port_in(Bytes value)
{
    std::uint16_t port = 0;
    if (value.size() >= sizeof port)
        std::memcpy(&port, value.data(), sizeof port);
    return ntohs(port);
}

RuleCondition device_condition(const Loaded& loaded, Bytes value)
{
    std::string device = loaded.by_index ? device_of(value) : pattern_of(value);
    return device.empty() ? RuleCondition{} : RuleCondition{.on = loaded.what, .device = std::move(device)};
}

RuleCondition family_condition(Bytes value, RuleFamily& family)
{
    if (value.empty())
        return {};
    family = {std::to_integer<int>(value[0]) == NFPROTO_IPV4, true};
    return {.on = On::family, .prefix = {family.v4 ? Address::any_v4() : Address::any_v6(), 0}};
}

RuleCondition prefix_condition(const Loaded& loaded, Bytes value, const RuleFamily& family)
{
    Address::Bytes bytes = family.v4 ? Address::any_v4().bytes() : Address::any_v6().bytes();
    const std::size_t start = family.v4 ? 12 : 0;
    if (value.size() > bytes.size() - start)
        return {};
    std::memcpy(bytes.data() + start, value.data(), value.size());
    const auto length = loaded.bits.value_or(static_cast<unsigned>(value.size()) * 8);
    return {.on = loaded.what, .prefix = {Address(bytes), static_cast<unsigned>(start) * 8 + length}};
}

RuleCondition state_condition(const Loaded& loaded, Bytes value)
{
    std::uint32_t bits = 0;
    if (value.size() != sizeof bits)
        return {};
    std::memcpy(&bits, value.data(), sizeof bits);
    // "No bit of the mask is set", which is how a list of states is written, the other way round.
    if (loaded.mask != 0)
        return bits == 0 ? connection_state(loaded.mask, true) : RuleCondition{};
    return connection_state(bits, false);
}

RuleCondition local_condition(Bytes value)
{
    std::uint32_t type = 0;
    if (value.size() == sizeof type)
        std::memcpy(&type, value.data(), sizeof type);
    return type == RTN_LOCAL ? RuleCondition{.on = On::local} : RuleCondition{};
}

}  // namespace

unsigned register_index(std::uint32_t number)
{
    if (number >= NFT_REG_1 && number <= NFT_REG_4)
        return (number - NFT_REG_1) * (NFT_REG_SIZE / register_size);
    return number >= NFT_REG32_00 && number <= NFT_REG32_15 ? number - NFT_REG32_00 : register_count;
}

RuleCondition compared(const Loaded& loaded, Bytes value, RuleFamily& family)
{
    switch (loaded.what) {
    case On::in_device:
    case On::out_device:
        return device_condition(loaded, value);
    case On::family:
        return family_condition(value, family);
    case On::protocol:
        return {.on = On::protocol,
                .protocol = value.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(value[0])};
    case On::source:
    case On::destination:
        return prefix_condition(loaded, value, family);
    case On::connection:
        return state_condition(loaded, value);
    case On::local:
        return local_condition(value);
    case On::port:
        return {.on = On::port, .ports = {{port_in(value), port_in(value)}}};
    case On::something:
        break;
    }
    return {};
}

RuleCondition compared(const Loaded& loaded, Bytes first, Bytes last, RuleFamily& family)
{
    if (loaded.what == On::port)
        return {.on = On::port, .ports = {{port_in(first), port_in(last)}}};
    return std::ranges::equal(first, last) ? compared(loaded, first, family) : RuleCondition{};
}

std::vector<RuleCondition> compared(const std::vector<KeyPart>& parts, Bytes key, Bytes last, RuleFamily& family)
{
    std::vector<RuleCondition> conditions;
    for (const KeyPart& part : parts) {
        const auto in = [&](Bytes whole) {
            return whole.size() < part.offset + part.size ? Bytes() : whole.subspan(part.offset, part.size);
        };
        conditions.push_back(key.empty() ? RuleCondition{}
                                         : compared(part.loaded, in(key), in(last.empty() ? key : last), family));
    }
    if (parts.empty())
        conditions.emplace_back();
    return conditions;
}

Loaded masked(Loaded loaded, Bytes mask)
{
    if (loaded.what == On::connection && mask.size() == sizeof loaded.mask) {
        std::memcpy(&loaded.mask, mask.data(), sizeof loaded.mask);
        return loaded;
    }
    if (loaded.what == On::source || loaded.what == On::destination)
        loaded.bits = length_of_mask(mask);
    return loaded.bits ? loaded : Loaded{};
}

void Registers::load(unsigned index, const Loaded& what, std::size_t size)
{
    registers_[index] = what;
    for (std::size_t covered = register_size; covered < size; covered += register_size)
        registers_.erase(++index);
}

Loaded Registers::at(unsigned index) const
{
    const auto found = registers_.find(index);
    return found == registers_.end() ? Loaded{} : found->second;
}

std::vector<KeyPart> Registers::parts(unsigned index, std::size_t size) const
{
    std::vector<KeyPart> parts;
    for (std::size_t offset = 0; offset < size; offset += register_size, ++index)
        if (registers_.contains(index))
            parts.push_back({at(index), offset, size - offset});
        else if (parts.empty())
            return {};
    for (std::size_t i = 0; i + 1 < parts.size(); ++i)
        parts[i].size = parts[i + 1].offset - parts[i].offset;
    return parts;
}

void Constants::put(unsigned index, Bytes bytes)
{
    for (; index < register_count && !bytes.empty(); ++index) {
        const std::size_t size = std::min<std::size_t>(register_size, bytes.size());
        registers_[index].emplace();
        std::copy_n(bytes.begin(), size, registers_[index]->begin());
        bytes = bytes.subspan(size);
    }
}

std::optional<Address> Constants::address(unsigned index, bool v4) const
{
    Address::Bytes bytes = v4 ? Address::any_v4().bytes() : Address::any_v6().bytes();
    for (std::size_t at = v4 ? 12 : 0; at < bytes.size(); at += register_size, ++index) {
        if (index >= register_count || !registers_[index])
            return std::nullopt;
        std::memcpy(bytes.data() + at, registers_[index]->data(), register_size);
    }
    return Address(bytes);
}

std::optional<std::uint16_t> Constants::port(unsigned index) const
{
    if (index >= register_count || !registers_[index])
        return std::nullopt;
    return port_in(*registers_[index]);
}

}  // namespace sallyport::netlink
