// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// find_translations(), of packet_filter.hpp.
#include "packet_filter_match.hpp"

#include <algorithm>

namespace sallyport {

namespace {

/// Everything that may send the passage elsewhere, from one base chain.
class TranslationWalk
{
public:
    TranslationWalk(const ChainIndex& chains, const FilterChain& base, const Passage& passage,
                    const std::function<bool(const Address&)>& may_go_to, std::vector<Translation>& found)
        : chains_(chains),
          base_(base),
          passage_(passage),
          may_go_to_(may_go_to),
          found_(found)
    {
        through(base, {}, 0);
    }

private:
    /// What the rules on the way here have asked of the packet.
    struct Way
    {
        bool certain = true;
        const FilterChain* singled_out = nullptr;  ///< where a rule named its port
        std::optional<Address> at{};
    };

    void through(const FilterChain& chain, const Way& way, int depth)
    {
        for (const FilterRule& rule : chain.rules) {
            const Match match = matches(rule, passage_);
            if (match == Match::no)
                continue;
            const Way next = beyond(way, chain, rule, match);
            if (next.at && !may_go_to_(*next.at))
                continue;
            carry_out(chain, rule, next, depth);
            if (match == Match::yes && rule.verdict != RuleVerdict::none && rule.verdict != RuleVerdict::unknown &&
                rule.verdict != RuleVerdict::jump)
                return;
        }
    }

    Way beyond(Way way, const FilterChain& chain, const FilterRule& rule, Match match) const
    {
        way.certain = way.certain && match == Match::yes;
        for (const RuleCondition& condition : rule.conditions) {
            if (condition.inverted)
                continue;
            if (condition.on == RuleCondition::On::port && !way.singled_out)
                way.singled_out = &chain;
            if (condition.on == RuleCondition::On::destination && condition.prefix.length == 128)
                way.at = condition.prefix.address;
        }
        return way;
    }

    void carry_out(const FilterChain& chain, const FilterRule& rule, const Way& way, int depth)
    {
        if (rule.verdict == RuleVerdict::jump || rule.verdict == RuleVerdict::go_to) {
            const FilterChain* target = chains_.find(base_, rule.target);
            if (target && depth < deepest)
                through(*target, way, depth + 1);
        } else if (rule.verdict == RuleVerdict::translate && (way.singled_out || way.certain)) {
            add(way.singled_out ? *way.singled_out : chain, way.at, rule.to);
        }
    }

    void add(const FilterChain& chain, const std::optional<Address>& at, const Destination& to)
    {
        auto same = std::ranges::find_if(found_, [&](const Translation& translation) {
            return translation.at == at && translation.chain.to_string() == chain.to_string();
        });
        if (same == found_.end())
            same = found_.insert(found_.end(), {without_rules(chain), at, {}});
        if (std::ranges::find(same->to, to) == same->to.end())
            same->to.push_back(to);
    }

    const ChainIndex& chains_;
    const FilterChain& base_;
    const Passage& passage_;
    const std::function<bool(const Address&)>& may_go_to_;
    std::vector<Translation>& found_;
};

}  // namespace

std::vector<Translation> find_translations(const std::vector<FilterChain>& chains, const Passage& passage,
                                           const std::function<bool(const Address&)>& may_go_to)
{
    std::vector<Translation> found;
    const ChainIndex index(chains);
    for (const FilterChain& base : chains)
        if (base.base && base.base->hook == FilterHook::prerouting && applies_to(base.family, passage.v4))
            TranslationWalk(index, base, passage, may_go_to, found);
    return found;
}

}  // namespace sallyport
