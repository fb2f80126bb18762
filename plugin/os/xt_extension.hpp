// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The extensions of iptables, which stand in legacy tables and, written by iptables-nft, in nftables alike.
#pragma once

#include "sallyport/packet_filter.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sallyport {

/// What a match asks of a packet; empty: nothing. `info` is the extension's own structure, as the kernel has it.
std::vector<RuleCondition> xt_conditions(std::string_view match, unsigned revision, std::span<const std::byte> info);

/// Gives the rule the verdict of its target, whose structure `info` is, too.
void xt_verdict(std::string_view target, unsigned revision, bool v4, std::span<const std::byte> info, FilterRule& rule);

/// A condition on the connection's state, from the kernel's bits (XT_CONNTRACK_STATE_BIT, NF_CT_STATE_BIT).
RuleCondition connection_state(std::uint32_t bits, bool inverted);

}  // namespace sallyport
