// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// How rules and a passage meet; for the packet filter's own files.
#pragma once

#include "sallyport/packet_filter.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sallyport {

/// In ascending order: of several conditions, the least is met.
enum class Match { no, perhaps, yes };

Match matches(const FilterRule& rule, const Passage& passage);

/// How many jumps are followed: nftables allows 16, iptables-legacy only refuses loops.
inline constexpr int deepest = 32;

/// Where the chains are, which it doesn't own: kube-proxy makes some ten thousand.
class ChainIndex
{
public:
    explicit ChainIndex(const std::vector<FilterChain>& chains);

    /// The one of that name in the base's table; null where it isn't there any more.
    const FilterChain* find(const FilterChain& base, const std::string& name) const;

private:
    std::unordered_multimap<std::string_view, const FilterChain*> by_name_;
};

FilterChain without_rules(const FilterChain& chain);

bool applies_to(FilterFamily family, bool v4);

}  // namespace sallyport
