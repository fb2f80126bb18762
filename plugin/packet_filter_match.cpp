// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "packet_filter_match.hpp"

#include <algorithm>
#include <string_view>

namespace sallyport {

namespace {

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

Match matches_port(const std::vector<PortRange>& ranges, std::uint16_t port)
{
    if (port == 0)
        return Match::perhaps;
    return known(
        std::ranges::any_of(ranges, [&](const PortRange& range) { return range.first <= port && port <= range.last; }));
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
    case RuleCondition::On::local:
        return passage.local ? known(*passage.local) : Match::perhaps;
    case RuleCondition::On::protocol:
        return known(condition.protocol == passage.protocol);
    case RuleCondition::On::port:
        return matches_port(condition.ports, passage.port);
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

}  // namespace

Match matches(const FilterRule& rule, const Passage& passage)
{
    Match all = Match::yes;
    for (const RuleCondition& condition : rule.conditions)
        all = std::min(all, matches(condition, passage));
    return all;
}

ChainIndex::ChainIndex(const std::vector<FilterChain>& chains)
{
    for (const FilterChain& chain : chains)
        by_name_.emplace(chain.name, &chain);
}

const FilterChain* ChainIndex::find(const FilterChain& base, const std::string& name) const
{
    const auto [begin, end] = by_name_.equal_range(name);
    const auto found = std::find_if(begin, end, [&](const auto& entry) {
        const FilterChain& chain = *entry.second;
        return chain.table == base.table && chain.family == base.family && chain.legacy == base.legacy;
    });
    return found == end ? nullptr : found->second;
}

FilterChain without_rules(const FilterChain& chain)
{
    FilterChain bare = chain;
    bare.rules.clear();
    return bare;
}

bool applies_to(FilterFamily family, bool v4)
{
    return family == FilterFamily::both || (family == FilterFamily::v4) == v4;
}

}  // namespace sallyport
