// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "packet_filter_match.hpp"

namespace sallyport {

namespace {

/// What may become of the passage in one base chain and those that it jumps to.
class Walk
{
public:
    Walk(const ChainIndex& chains, const FilterChain& base, const Passage& passage)
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
        case RuleVerdict::translate:
            may_be_accepted_ = true;
            return {};
        case RuleVerdict::drop:
        case RuleVerdict::reject:
            refuse(chain, rule.number, rule.verdict == RuleVerdict::drop, certain);
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
        const FilterChain* target = chains_.find(base_, name);
        return target == nullptr || depth == deepest || through(*target, certain, depth + 1);
    }

    void refuse(const FilterChain& chain, std::size_t number, bool silent, bool certain)
    {
        may_be_refused_ = true;
        if (!certain || refusal_)
            return;
        refusal_ = {without_rules(chain), base_.name, number, silent, may_be_accepted_};
    }

    const ChainIndex& chains_;
    const FilterChain& base_;
    const Passage& passage_;
    bool may_be_accepted_ = false;
    bool may_be_refused_ = false;
    std::optional<FilterRefusal> refusal_;
};

template <typename Visit>
void walk_bases(const std::vector<FilterChain>& chains, FilterHook hook, const Passage& passage, Visit visit)
{
    const ChainIndex index(chains);
    for (const FilterChain& chain : chains)
        if (chain.base && chain.base->hook == hook && applies_to(chain.family, passage.v4))
            visit(chain, Walk(index, chain, passage));
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
        if (walk.may_be_refused())
            guards.push_back(without_rules(chain));
    });
    return guards;
}

}  // namespace sallyport
