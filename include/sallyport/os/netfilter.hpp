// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The packet filter of the network namespace that we run in, as the kernel shows it.
#pragma once

#include "sallyport/packet_filter.hpp"

#include <optional>
#include <vector>

namespace sallyport {

/// All chains of nftables for IPv4 and IPv6, whoever wrote them: `nft`, iptables-nft, firewalld, Docker, Cilium, ...
/// With `hook` only those of tables that have a base chain there. Empty where the kernel has no nftables. Throws
/// Error(node_lacks) where the kernel refuses, Error(try_again_later) where the rules change again and again meanwhile.
std::vector<FilterChain> read_nftables(std::optional<FilterHook> hook = {});

/// All chains of iptables-legacy's tables, those of them that exist: asking for another one would make it. `hook`, and
/// what it throws, as in read_nftables().
std::vector<FilterChain> read_legacy_iptables(std::optional<FilterHook> hook = {});

/// Both: a packet passes both.
std::vector<FilterChain> read_packet_filter(std::optional<FilterHook> hook = {});

}  // namespace sallyport
