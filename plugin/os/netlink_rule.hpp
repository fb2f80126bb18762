// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A rule of nftables, from the expressions that the kernel lists for it; for netlink_nftables.cpp alone.
#pragma once

#include "sallyport/packet_filter.hpp"

#include <netlink/attr.h>

namespace sallyport::netlink {

/// `expressions`: the attribute NFTA_RULE_EXPRESSIONS, or null for a rule without any.
FilterRule read_rule(FilterFamily family, const nlattr* expressions);

/// The attribute of that type inside a nested one, or null.
const nlattr* inside(const nlattr* nested, int type);

/// nftables' numbers are big-endian. 0 where there is none.
std::uint32_t number_of(const nlattr* attribute);

/// Empty where there is none.
std::string text_of(const nlattr* attribute);

}  // namespace sallyport::netlink
