// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A rule of nftables, from the expressions that the kernel lists for it; for the netlink files alone.
#pragma once

#include "netlink_set.hpp"

#include "sallyport/packet_filter.hpp"

#include <netlink/attr.h>

#include <vector>

namespace sallyport::netlink {

/// `expressions`: the attribute NFTA_RULE_EXPRESSIONS, or null for a rule without any; `sets`: those of its table. More
/// than one where it looks into a map, or into a set of ports. Their `number` is left to the caller.
std::vector<FilterRule> read_rule(FilterFamily family, const nlattr* expressions, const Sets& sets);

}  // namespace sallyport::netlink
