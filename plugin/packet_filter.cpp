// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/packet_filter.hpp"

#include <algorithm>
#include <string_view>

namespace sallyport {

namespace {

enum class Match { no, perhaps, yes };

constexpr int deepest = 32;  // nftables allows 16 jumps; iptables-legacy only refuses loops

Match known(bool holds)
{
    return holds ? Match::yes : Match::no;
}

Match matches_device(const std::string& pattern, const std::string& device)
{
    if (pattern.ends_with('+')) {
        const auto beginning = std::string_view(pattern).substr(0, pattern.size() - 1);
        return beginning.empty() ? Match::yes : device.empty() ? Match::perhaps : known(device.starts_with(beginning));
    }
    return device.empty() ? Match::perhaps : known(device == pattern);
}

Match matches_address(const Prefix& prefix, const std::optional<Address>& address)
{
    return address ? known(prefix.contains(*address)) : Match::perhaps;
}

Match matches_plainly(const RuleCondition& condition, const Passage& passage)
{
    switch (condition.on) {
    case RuleCondition::On::family:
        return known(condition.prefix.address.is_v4() == passage.v4);
    case RuleCondition::On::in_device:
        return matches_device(condition.device, passage.in_device);
    case RuleCondition::On::out_device:
        return matches_device(condition.device, passage.out_device);
    case RuleCondition::On::source:
        return matches_address(condition.prefix, passage.source);
    case RuleCondition::On::destination:
        return matches_address(condition.prefix, passage.destination);
    case RuleCondition::On::protocol:
        return known(condition.protocol == passage.protocol);
    case RuleCondition::On::connection:
        return known(passage.opens ? condition.opens : condition.answers);
    case RuleCondition::On::something:
        return Match::perhaps;
    }
    return Match::perhaps;
}

Match matches(const RuleCondition& condition, const Passage& passage)
{
    const Match plain = matches_plainly(condition, passage);
    if (!condition.inverted || plain == Match::perhaps)
        return plain;
    return known(plain == Match::no);
}

Match matches(const FilterRule& rule, const Passage& passage)
{
    Match all = Match::yes;
    for (const RuleCondition& condition : rule.conditions)
        all = std::min(all, matches(condition, passage));
    return all;
}

bool applies_to(FilterFamily family, bool v4)
{
    return family == FilterFamily::both || (family == FilterFamily::v4) == v4;
}

/// What may become of the passage in one base chain and those that it jumps to.
class Walk
{
public:
    Walk(const std::vector<FilterChain>& chains, const FilterChain& base, const Passage& passage)
        : chains_(chains),
          base_(base),
          passage_(passage)
    {
        if (through(base, true, 0) && base.base->drops)
            refuse(base, 0, true, true);
    }

    bool may_be_refused() const { return may_be_refused_; }
    const std::optional<FilterRefusal>& refusal() const { return refusal_; }

private:
    /// Where a packet that meets a rule may be afterwards, if it is neither accepted nor refused.
    struct Next
    {
        bool rule = false;    ///< at the next one
        bool caller = false;  ///< in the chain that jumped here
    };

    /// Whether the passage may come out at the chain's end. `certain`: it comes in, unless something before has ended
    /// it.
    bool through(const FilterChain& chain, bool certain, int depth)
    {
        bool may_return = false;
        for (std::size_t i = 0; i < chain.rules.size(); ++i) {
            const Match match = matches(chain.rules[i], passage_);
            if (match == Match::no)
                continue;
            const Next next = carry_out(chain, i, certain && match == Match::yes, depth);
            may_return = may_return || next.caller;
            if (match == Match::yes && !next.rule)
                return may_return;
        }
        return true;
    }

    Next carry_out(const FilterChain& chain, std::size_t i, bool certain, int depth)
    {
        const FilterRule& rule = chain.rules[i];
        switch (rule.verdict) {
        case RuleVerdict::none:
            return {.rule = true};
        case RuleVerdict::unknown:
            may_be_accepted_ = true;
            return {.rule = true};
        case RuleVerdict::accept:
            may_be_accepted_ = true;
            return {};
        case RuleVerdict::drop:
        case RuleVerdict::reject:
            refuse(chain, i + 1, rule.verdict == RuleVerdict::drop, certain);
            return {};
        case RuleVerdict::give_back:
            return {.caller = true};
        case RuleVerdict::jump:
            return {.rule = through(rule.target, certain, depth)};
        case RuleVerdict::go_to:
            return {.caller = through(rule.target, certain, depth)};
        }
        return {};
    }

    /// A chain that isn't there any more, or one too deep, is passed.
    bool through(const std::string& name, bool certain, int depth)
    {
        const auto target = std::find_if(chains_.begin(), chains_.end(), [&](const FilterChain& chain) {
            return chain.name == name && chain.table == base_.table && chain.family == base_.family &&
                   chain.legacy == base_.legacy;
        });
        return target == chains_.end() || depth == deepest || through(*target, certain, depth + 1);
    }

    void refuse(const FilterChain& chain, std::size_t number, bool silent, bool certain)
    {
        may_be_refused_ = true;
        if (!certain || refusal_)
            return;
        refusal_ = {chain.name == base_.name ? base_ : chain, base_.name, number, silent, may_be_accepted_};
        refusal_->chain.rules.clear();
    }

    const std::vector<FilterChain>& chains_;
    const FilterChain& base_;
    const Passage& passage_;
    bool may_be_accepted_ = false;
    bool may_be_refused_ = false;
    std::optional<FilterRefusal> refusal_;
};

template <typename Visit>
void walk_bases(const std::vector<FilterChain>& chains, FilterHook hook, const Passage& passage, Visit visit)
{
    for (const FilterChain& chain : chains)
        if (chain.base && chain.base->hook == hook && applies_to(chain.family, passage.v4))
            visit(chain, Walk(chains, chain, passage));
}

const char* name_of(FilterFamily family)
{
    switch (family) {
    case FilterFamily::v4:
        return "ip";
    case FilterFamily::v6:
        return "ip6";
    case FilterFamily::both:
        return "inet";
    }
    return "";
}

}  // namespace

std::string FilterChain::to_string() const
{
    return "chain " + name + " of table " + name_of(family) + " " + table + (legacy ? " (iptables-legacy)" : "");
}

std::vector<FilterRefusal> find_refusals(const std::vector<FilterChain>& chains, FilterHook hook,
                                         const Passage& passage)
{
    std::vector<FilterRefusal> refusals;
    walk_bases(chains, hook, passage, [&](const FilterChain&, const Walk& walk) {
        if (walk.refusal())
            refusals.push_back(*walk.refusal());
    });
    return refusals;
}

std::vector<FilterChain> find_guards(const std::vector<FilterChain>& chains, FilterHook hook, const Passage& passage)
{
    std::vector<FilterChain> guards;
    walk_bases(chains, hook, passage, [&](const FilterChain& chain, const Walk& walk) {
        if (!walk.may_be_refused())
            return;
        guards.push_back(chain);
        guards.back().rules.clear();
    });
    return guards;
}

}  // namespace sallyport
