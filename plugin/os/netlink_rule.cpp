// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// An expression loads something into a register, changes what is there, or compares it; a rule's last ones say what is
// to be done. What isn't known here makes the rule one with a condition that isn't read.
#include "netlink_rule.hpp"

#include "xt_extension.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <span>

namespace sallyport::netlink {

namespace {

using On = RuleCondition::On;

std::span<const std::byte> bytes_of(const nlattr* attribute)
{
    if (!attribute)
        return {};
    return {static_cast<const std::byte*>(nla_data(attribute)), static_cast<std::size_t>(nla_len(attribute))};
}

/// What an expression has put into a register.
struct Loaded
{
    On what = On::something;
    bool by_index = false;         ///< of a device: its number, not its name
    std::uint32_t mask = 0;        ///< of a connection's state
    std::optional<unsigned> bits;  ///< of an address: so many of its first ones; nullopt: all that are compared
};

/// How many leading bits are set, if no other one is.
std::optional<unsigned> length_of_mask(std::span<const std::byte> mask)
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

class RuleReader
{
public:
    explicit RuleReader(FilterFamily family)
        : v4_(family == FilterFamily::v4),
          known_family_(family != FilterFamily::both)
    {}

    void read(const std::string& name, const nlattr* data)
    {
        if (name == "immediate")
            read_immediate(data);
        else if (name == "reject")
            rule.verdict = RuleVerdict::reject;
        else if (name == "target")
            end_by_extension(text_of(inside(data, NFTA_TARGET_NAME)));
        else if (name == "match")
            read_match(data);
        else if (name == "meta")
            read_meta(data);
        else if (name == "ct")
            read_connection(data);
        else if (name == "payload")
            read_payload(data);
        else if (name == "bitwise")
            read_mask(data);
        else if (name == "cmp")
            read_comparison(data);
        else if (is_terminal(name) || (name == "lookup" && leads_to_verdict(data)))
            end_by_extension(name);
        else if (!is_neutral(name))
            rule.conditions.emplace_back();
    }

    FilterRule rule{};

private:
    static bool is_neutral(const std::string& name)
    {
        constexpr std::array<std::string_view, 5> names{"counter", "log", "notrack", "last", "flow_offload"};
        return std::find(names.begin(), names.end(), name) != names.end();
    }

    static bool is_terminal(const std::string& name)
    {
        constexpr std::array<std::string_view, 7> names{"nat", "masq", "redir", "tproxy", "queue", "fwd", "synproxy"};
        return std::find(names.begin(), names.end(), name) != names.end();
    }

    static bool leads_to_verdict(const nlattr* lookup)
    {
        const nlattr* to = inside(lookup, NFTA_LOOKUP_DREG);
        return to && number_of(to) == NFT_REG_VERDICT;
    }

    void end_by_extension(const std::string& name)
    {
        rule.verdict = xt_verdict(name);
        rule.target = name;
    }

    void read_match(const nlattr* data)
    {
        if (auto condition =
                xt_condition(text_of(inside(data, NFTA_MATCH_NAME)), number_of(inside(data, NFTA_MATCH_REV)),
                             bytes_of(inside(data, NFTA_MATCH_INFO))))
            rule.conditions.push_back(std::move(*condition));
    }

    void read_immediate(const nlattr* data)
    {
        if (number_of(inside(data, NFTA_IMMEDIATE_DREG)) != NFT_REG_VERDICT)
            return;
        const nlattr* verdict = inside(inside(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
        rule.target = text_of(inside(verdict, NFTA_VERDICT_CHAIN));
        switch (static_cast<int>(number_of(inside(verdict, NFTA_VERDICT_CODE)))) {
        case NF_ACCEPT:
            rule.verdict = RuleVerdict::accept;
            break;
        case NF_DROP:
            rule.verdict = RuleVerdict::drop;
            break;
        case NFT_JUMP:
            rule.verdict = RuleVerdict::jump;
            break;
        case NFT_GOTO:
            rule.verdict = RuleVerdict::go_to;
            break;
        case NFT_RETURN:
            rule.verdict = RuleVerdict::give_back;
            break;
        case NFT_CONTINUE:
            break;
        default:
            rule.verdict = RuleVerdict::unknown;
        }
    }

    void load(const nlattr* to, const Loaded& what)
    {
        if (to)  // else it writes into the packet, from a register
            registers_[number_of(to)] = what;
    }

    void read_meta(const nlattr* data)
    {
        Loaded loaded;
        switch (number_of(inside(data, NFTA_META_KEY))) {
        case NFT_META_IIF:
        case NFT_META_IIFNAME:
            loaded.what = On::in_device;
            break;
        case NFT_META_OIF:
        case NFT_META_OIFNAME:
            loaded.what = On::out_device;
            break;
        case NFT_META_NFPROTO:
            loaded.what = On::family;
            break;
        case NFT_META_L4PROTO:
            loaded.what = On::protocol;
            break;
        default:
            break;
        }
        const std::uint32_t key = number_of(inside(data, NFTA_META_KEY));
        loaded.by_index = key == NFT_META_IIF || key == NFT_META_OIF;
        load(inside(data, NFTA_META_DREG), loaded);
    }

    void read_connection(const nlattr* data)
    {
        Loaded loaded;
        if (number_of(inside(data, NFTA_CT_KEY)) == NFT_CT_STATE)
            loaded.what = On::connection;
        load(inside(data, NFTA_CT_DREG), loaded);
    }

    void read_payload(const nlattr* data)
    {
        Loaded loaded;
        const std::uint32_t offset = number_of(inside(data, NFTA_PAYLOAD_OFFSET));
        if (known_family_ && number_of(inside(data, NFTA_PAYLOAD_BASE)) == NFT_PAYLOAD_NETWORK_HEADER) {
            if (offset == (v4_ ? 12U : 8U))
                loaded.what = On::source;
            else if (offset == (v4_ ? 16U : 24U))
                loaded.what = On::destination;
            else if (offset == (v4_ ? 9U : 6U))
                loaded.what = On::protocol;
        }
        load(inside(data, NFTA_PAYLOAD_DREG), loaded);
    }

    void read_mask(const nlattr* data)
    {
        Loaded loaded = registers_[number_of(inside(data, NFTA_BITWISE_SREG))];
        const auto mask = bytes_of(inside(inside(data, NFTA_BITWISE_MASK), NFTA_DATA_VALUE));
        if (loaded.what == On::connection && mask.size() == sizeof loaded.mask)
            std::memcpy(&loaded.mask, mask.data(), sizeof loaded.mask);
        else if (loaded.what == On::source || loaded.what == On::destination)
            loaded.bits = length_of_mask(mask);
        else
            loaded.what = On::something;
        if ((loaded.what == On::source || loaded.what == On::destination) && !loaded.bits)
            loaded.what = On::something;
        load(inside(data, NFTA_BITWISE_DREG), loaded);
    }

    void read_comparison(const nlattr* data)
    {
        const std::uint32_t operation = number_of(inside(data, NFTA_CMP_OP));
        const auto value = bytes_of(inside(inside(data, NFTA_CMP_DATA), NFTA_DATA_VALUE));
        const Loaded& loaded = registers_[number_of(inside(data, NFTA_CMP_SREG))];
        RuleCondition condition;
        if (operation == NFT_CMP_EQ || operation == NFT_CMP_NEQ)
            condition = compared(loaded, value);
        condition.inverted = condition.inverted != (operation == NFT_CMP_NEQ);
        rule.conditions.push_back(std::move(condition));
    }

    /// The register's content equals `value`.
    RuleCondition compared(const Loaded& loaded, std::span<const std::byte> value)
    {
        RuleCondition condition{.on = loaded.what};
        switch (loaded.what) {
        case On::in_device:
        case On::out_device:
            condition.device = loaded.by_index ? device_of(value) : pattern_of(value);
            return condition.device.empty() ? RuleCondition{} : condition;
        case On::family:
            return family_of(value);
        case On::protocol:
            condition.protocol = value.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(value[0]);
            return condition;
        case On::source:
        case On::destination:
            return read_prefix(loaded, value, condition) ? condition : RuleCondition{};
        case On::connection: {
            std::uint32_t bits = 0;
            if (value.size() != sizeof bits)
                return {};
            std::memcpy(&bits, value.data(), sizeof bits);
            // "No bit of the mask is set", which is how a list of states is written, the other way round.
            if (loaded.mask != 0)
                return bits == 0 ? connection_state(loaded.mask, true) : RuleCondition{};
            return connection_state(bits, false);
        }
        case On::something:
            break;
        }
        return {};
    }

    static std::string device_of(std::span<const std::byte> index)
    {
        std::uint32_t number = 0;
        std::array<char, IF_NAMESIZE> name{};
        if (index.size() == sizeof number)
            std::memcpy(&number, index.data(), sizeof number);
        return ::if_indextoname(number, name.data()) ? name.data() : "";
    }

    /// Compared up to its zero it is a name, without one the beginning of names.
    static std::string pattern_of(std::span<const std::byte> value)
    {
        const std::string all(reinterpret_cast<const char*>(value.data()), value.size());
        const std::size_t zero = all.find('\0');
        return zero == std::string::npos ? all + '+' : all.substr(0, zero);
    }

    RuleCondition family_of(std::span<const std::byte> value)
    {
        if (value.size() != 1)
            return {};
        v4_ = std::to_integer<int>(value[0]) == NFPROTO_IPV4;
        known_family_ = true;
        return {.on = On::family, .prefix = {v4_ ? Address::any_v4() : Address::any_v6(), 0}};
    }

    bool read_prefix(const Loaded& loaded, std::span<const std::byte> value, RuleCondition& condition) const
    {
        Address::Bytes bytes = v4_ ? Address::any_v4().bytes() : Address::any_v6().bytes();
        const std::size_t start = v4_ ? 12 : 0;
        if (value.size() > bytes.size() - start)
            return false;
        std::memcpy(bytes.data() + start, value.data(), value.size());
        const auto length = loaded.bits.value_or(static_cast<unsigned>(value.size()) * 8);
        condition.prefix = {Address(bytes), static_cast<unsigned>(start) * 8 + length};
        return true;
    }

    bool v4_;
    bool known_family_;
    std::map<std::uint32_t, Loaded> registers_;
};

}  // namespace

const nlattr* inside(const nlattr* nested, int type)
{
    return nested ? nla_find(static_cast<const nlattr*>(nla_data(nested)), nla_len(nested), type) : nullptr;
}

std::uint32_t number_of(const nlattr* attribute)
{
    return attribute && nla_len(attribute) >= static_cast<int>(sizeof(std::uint32_t)) ? ntohl(nla_get_u32(attribute))
                                                                                      : 0;
}

std::string text_of(const nlattr* attribute)
{
    const auto bytes = bytes_of(attribute);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text.substr(0, text.find('\0'));
}

FilterRule read_rule(FilterFamily family, const nlattr* expressions)
{
    RuleReader reader(family);
    const nlattr* expression = nullptr;
    int left = 0;
    if (expressions)
        nla_for_each_nested(expression, expressions, left)
            reader.read(text_of(inside(expression, NFTA_EXPR_NAME)), inside(expression, NFTA_EXPR_DATA));
    return std::move(reader.rule);
}

}  // namespace sallyport::netlink
