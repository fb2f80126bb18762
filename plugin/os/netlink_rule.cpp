// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// An expression loads something into a register, changes what is there, or compares it; a rule's last ones say what is
// to be done. What isn't known here makes the rule one with a condition that isn't read.
#include "netlink_rule.hpp"

#include "netlink_attribute.hpp"
#include "netlink_register.hpp"
#include "xt_extension.hpp"

#include <netinet/in.h>  // before the kernel's own headers

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sallyport::netlink {

namespace {

using On = RuleCondition::On;

constexpr std::array<std::byte, register_size> lowest{};
constexpr std::array<std::byte, register_size> highest{std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                                                       std::byte{0xff}};

bool is_neutral(const std::string& name)
{
    constexpr std::array<std::string_view, 5> names{"counter", "log", "notrack", "last", "flow_offload"};
    return std::ranges::find(names, name) != names.end();
}

bool is_terminal(const std::string& name)
{
    constexpr std::array<std::string_view, 5> names{"nat", "masq", "queue", "fwd", "synproxy"};
    return std::ranges::find(names, name) != names.end();
}

/// What a rule translates it hands over as well, by the verdict behind it.
void set_verdict(std::uint32_t code, const std::string& chain, FilterRule& rule)
{
    if (rule.verdict == RuleVerdict::translate)
        return;
    rule.target = chain;
    switch (static_cast<int>(code)) {
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

/// The rule as it is for one element of what it looks into.
struct Alternative
{
    FilterRule rule{};
    Constants constants{};
};

class RuleReader
{
public:
    RuleReader(FilterFamily family, const Sets& sets)
        : sets_(sets),
          family_{family == FilterFamily::v4, family != FilterFamily::both}
    {}

    void read(const std::string& name, const nlattr* data)
    {
        if (name == "immediate")
            read_immediate(data);
        else if (name == "reject")
            end(RuleVerdict::reject);
        else if (name == "target")
            read_target(data);
        else if (name == "match")
            read_match(data);
        else if (name == "meta")
            read_meta(data);
        else if (name == "ct")
            read_connection(data);
        else if (name == "fib")
            read_fib(data);
        else if (name == "payload")
            read_payload(data);
        else if (name == "bitwise")
            load(inside(data, NFTA_BITWISE_DREG),
                 masked(loaded(inside(data, NFTA_BITWISE_SREG)),
                        bytes_of(inside(inside(data, NFTA_BITWISE_MASK), NFTA_DATA_VALUE))));
        else if (name == "cmp")
            read_comparison(data);
        else if (name == "range")
            read_range(data);
        else if (name == "lookup")
            read_lookup(data);
        else if (name == "nat" && number_of(inside(data, NFTA_NAT_TYPE)) == NFT_NAT_DNAT)
            translate(inside(data, NFTA_NAT_REG_ADDR_MIN), inside(data, NFTA_NAT_REG_PROTO_MIN),
                      number_of(inside(data, NFTA_NAT_FAMILY)) == NFPROTO_IPV4);
        else if (name == "redir")
            translate(nullptr, inside(data, NFTA_REDIR_REG_PROTO_MIN), false);
        else if (name == "tproxy")
            translate(nullptr, inside(data, NFTA_TPROXY_REG_PORT), false);
        else if (is_terminal(name))
            end(RuleVerdict::unknown);
        else if (!is_neutral(name))
            add({});
    }

    std::vector<FilterRule> take()
    {
        std::vector<FilterRule> rules;
        std::ranges::transform(alternatives_, std::back_inserter(rules),
                               [](Alternative& alternative) { return std::move(alternative.rule); });
        return rules;
    }

private:
    void add(const RuleCondition& condition)
    {
        for (Alternative& alternative : alternatives_)
            alternative.rule.conditions.push_back(condition);
    }

    void end(RuleVerdict verdict)
    {
        for (Alternative& alternative : alternatives_)
            alternative.rule.verdict = verdict;
    }

    void read_target(const nlattr* data)
    {
        for (Alternative& alternative : alternatives_)
            xt_verdict(text_of(inside(data, NFTA_TARGET_NAME)), number_of(inside(data, NFTA_TARGET_REV)), family_.v4,
                       bytes_of(inside(data, NFTA_TARGET_INFO)), alternative.rule);
    }

    void read_match(const nlattr* data)
    {
        for (const RuleCondition& condition :
             xt_conditions(text_of(inside(data, NFTA_MATCH_NAME)), number_of(inside(data, NFTA_MATCH_REV)),
                           bytes_of(inside(data, NFTA_MATCH_INFO))))
            add(condition);
    }

    void read_immediate(const nlattr* data)
    {
        const nlattr* value = inside(data, NFTA_IMMEDIATE_DATA);
        const nlattr* verdict = inside(value, NFTA_DATA_VERDICT);
        for (Alternative& alternative : alternatives_)
            if (verdict)
                set_verdict(number_of(inside(verdict, NFTA_VERDICT_CODE)), text_of(inside(verdict, NFTA_VERDICT_CHAIN)),
                            alternative.rule);
            else
                alternative.constants.put(register_index(number_of(inside(data, NFTA_IMMEDIATE_DREG))),
                                          bytes_of(inside(value, NFTA_DATA_VALUE)));
    }

    /// Without registers it's the node's own, or the port stays as it was.
    void translate(const nlattr* address, const nlattr* port, bool v4)
    {
        for (Alternative& alternative : alternatives_) {
            alternative.rule.verdict = RuleVerdict::translate;
            if (address)
                alternative.rule.to.address = alternative.constants.address(register_index(number_of(address)), v4);
            if (port)
                alternative.rule.to.port = alternative.constants.port(register_index(number_of(port))).value_or(0);
        }
    }

    Loaded loaded(const nlattr* from) const { return registers_.at(register_index(number_of(from))); }

    void load(const nlattr* to, const Loaded& what, std::size_t size = register_size)
    {
        if (to)  // else it writes into the packet, from a register
            registers_.load(register_index(number_of(to)), what, size);
    }

    void read_meta(const nlattr* data)
    {
        const std::uint32_t key = number_of(inside(data, NFTA_META_KEY));
        Loaded loaded;
        if (key == NFT_META_IIF || key == NFT_META_IIFNAME)
            loaded.what = On::in_device;
        else if (key == NFT_META_OIF || key == NFT_META_OIFNAME)
            loaded.what = On::out_device;
        else if (key == NFT_META_NFPROTO)
            loaded.what = On::family;
        else if (key == NFT_META_L4PROTO)
            loaded.what = On::protocol;
        loaded.by_index = key == NFT_META_IIF || key == NFT_META_OIF;
        const bool is_name = key == NFT_META_IIFNAME || key == NFT_META_OIFNAME;
        load(inside(data, NFTA_META_DREG), loaded, is_name ? IF_NAMESIZE : register_size);
    }

    void read_connection(const nlattr* data)
    {
        Loaded loaded;
        if (number_of(inside(data, NFTA_CT_KEY)) == NFT_CT_STATE)
            loaded.what = On::connection;
        load(inside(data, NFTA_CT_DREG), loaded);
    }

    void read_fib(const nlattr* data)
    {
        Loaded loaded;
        if (number_of(inside(data, NFTA_FIB_RESULT)) == NFT_FIB_RESULT_ADDRTYPE &&
            number_of(inside(data, NFTA_FIB_FLAGS)) == NFTA_FIB_F_DADDR)
            loaded.what = On::local;
        load(inside(data, NFTA_FIB_DREG), loaded);
    }

    void read_payload(const nlattr* data)
    {
        Loaded loaded;
        const std::uint32_t base = number_of(inside(data, NFTA_PAYLOAD_BASE));
        const std::uint32_t offset = number_of(inside(data, NFTA_PAYLOAD_OFFSET));
        if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == 2 && number_of(inside(data, NFTA_PAYLOAD_LEN)) == 2) {
            loaded.what = On::port;  // of TCP and UDP alike
        } else if (family_.known && base == NFT_PAYLOAD_NETWORK_HEADER) {
            if (offset == (family_.v4 ? 12U : 8U))
                loaded.what = On::source;
            else if (offset == (family_.v4 ? 16U : 24U))
                loaded.what = On::destination;
            else if (offset == (family_.v4 ? 9U : 6U))
                loaded.what = On::protocol;
        }
        load(inside(data, NFTA_PAYLOAD_DREG), loaded, number_of(inside(data, NFTA_PAYLOAD_LEN)));
    }

    void read_comparison(const nlattr* data)
    {
        const std::uint32_t operation = number_of(inside(data, NFTA_CMP_OP));
        const auto value = bytes_of(inside(inside(data, NFTA_CMP_DATA), NFTA_DATA_VALUE));
        const Loaded what = loaded(inside(data, NFTA_CMP_SREG));
        RuleCondition condition;
        if (operation == NFT_CMP_EQ || operation == NFT_CMP_NEQ)
            condition = compared(what, value, family_);
        else if (operation == NFT_CMP_GTE || operation == NFT_CMP_LT)  // as a range is written, by two comparisons
            condition = compared(what, value, highest, family_);
        else if (operation == NFT_CMP_LTE || operation == NFT_CMP_GT)
            condition = compared(what, lowest, value, family_);
        const bool inverts = operation == NFT_CMP_NEQ || operation == NFT_CMP_LT || operation == NFT_CMP_GT;
        condition.inverted = condition.inverted != inverts;
        add(condition);
    }

    void read_range(const nlattr* data)
    {
        RuleCondition condition =
            compared(loaded(inside(data, NFTA_RANGE_SREG)),
                     bytes_of(inside(inside(data, NFTA_RANGE_FROM_DATA), NFTA_DATA_VALUE)),
                     bytes_of(inside(inside(data, NFTA_RANGE_TO_DATA), NFTA_DATA_VALUE)), family_);
        condition.inverted = number_of(inside(data, NFTA_RANGE_OP)) == NFT_RANGE_NEQ;
        add(condition);
    }

    /// The rule as it is for each element. Not for what says no more by its elements than one does by standing there:
    /// a set of addresses may have a hundred thousand.
    void read_lookup(const nlattr* data)
    {
        const auto found = sets_.find(text_of(inside(data, NFTA_LOOKUP_SET)));
        const auto parts =
            found == sets_.end()
                ? std::vector<KeyPart>{}
                : registers_.parts(register_index(number_of(inside(data, NFTA_LOOKUP_SREG))), found->second.key_size);
        const bool inverted = (number_of(inside(data, NFTA_LOOKUP_FLAGS)) & NFT_LOOKUP_F_INV) != 0;
        const bool tells = found != sets_.end() && !inverted && alternatives_.size() == 1 &&
                           (found->second.is_map || std::ranges::any_of(parts, [](const KeyPart& part) {
                                return part.loaded.what == On::port;
                            }));
        if (!tells) {
            add({});
            if (const nlattr* to = inside(data, NFTA_LOOKUP_DREG); to && number_of(to) == NFT_REG_VERDICT)
                end(RuleVerdict::unknown);
            return;
        }
        const Alternative before = std::move(alternatives_.front());
        alternatives_.clear();
        for (const SetElement& element : found->second.elements)
            alternatives_.push_back(for_element(before, parts, element, inside(data, NFTA_LOOKUP_DREG)));
    }

    Alternative for_element(const Alternative& before, const std::vector<KeyPart>& parts, const SetElement& element,
                            const nlattr* to)
    {
        Alternative alternative = before;
        std::ranges::move(compared(parts, element.key, element.last, family_),
                          std::back_inserter(alternative.rule.conditions));
        if (to && number_of(to) == NFT_REG_VERDICT)
            set_verdict(element.verdict, element.chain, alternative.rule);
        else if (to)
            alternative.constants.put(register_index(number_of(to)), element.data);
        return alternative;
    }

    const Sets& sets_;
    RuleFamily family_;
    Registers registers_{};
    std::vector<Alternative> alternatives_{1};
};

}  // namespace

std::vector<FilterRule> read_rule(FilterFamily family, const nlattr* expressions, const Sets& sets)
{
    RuleReader reader(family, sets);
    const nlattr* expression = nullptr;
    int left = 0;
    if (expressions)
        nla_for_each_nested(expression, expressions, left)
            reader.read(text_of(inside(expression, NFTA_EXPR_NAME)), inside(expression, NFTA_EXPR_DATA));
    return reader.take();
}

}  // namespace sallyport::netlink
