// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The extensions of iptables, which stand in legacy tables and, written by iptables-nft, in nftables alike.
#pragma once

#include "sallyport/packet_filter.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sallyport {

/// What a match asks of a packet; nullopt: nothing. `info` is the extension's own structure, as the kernel has it.
std::optional<RuleCondition> xt_condition(std::string_view match, unsigned revision, std::span<const std::byte> info);

RuleVerdict xt_verdict(std::string_view target);

/// A condition on the connection's state, from the kernel's bits (XT_CONNTRACK_STATE_BIT, NF_CT_STATE_BIT).
RuleCondition connection_state(std::uint32_t bits, bool inverted);

}  // namespace sallyport
