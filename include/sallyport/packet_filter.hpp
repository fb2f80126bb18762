// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node's packet filter (nftables, iptables) as values, and what it does with a connection. It never sees node
// ports: by then packets go to a pod, so they pass FORWARD, and INPUT not at all. What it sends elsewhere by itself
// (DNAT, REDIRECT, TPROXY) it gets only where no node port is.
//
// Conditions that aren't read here (marks, sets, rates, ...) are neither met nor unmet: what is said of a chain is then
// "perhaps", never a guess.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/exposure.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// One thing that a rule asks of a packet.
struct RuleCondition
{
    enum class On {
        family,       ///< of the address in `prefix`, whose length is of no account
        in_device,    ///< `device`
        out_device,   ///< `device`
        source,       ///< `prefix`
        destination,  ///< `prefix`
        local,        ///< its destination is one of the node's own addresses
        protocol,     ///< `protocol`
        port,         ///< its destination's is one of `ports`
        connection,   ///< its state: `opens`, `answers`
        something,    ///< that isn't read
    };
    On on = On::something;
    bool inverted = false;
    std::string device{};  ///< a name, or the beginning of names and a `+`
    Prefix prefix{};
    std::uint8_t protocol = 0;  ///< IPPROTO_...
    std::vector<PortRange> ports{};
    bool opens = true;    ///< holds for the first packet of a connection
    bool answers = true;  ///< holds for those of an established one
};

enum class RuleVerdict {
    none,       ///< counts, logs, marks: the next rule has its turn
    accept,     ///< the end of the base chain
    drop,       ///< silence: clients time out
    reject,     ///< an answer: clients are refused
    jump,       ///< to `target`, and back
    go_to,      ///< to `target`, and back to where the last jump came from
    give_back,  ///< to where the last jump came from
    translate,  ///< to another destination: `to`
    unknown,    ///< what an extension decides that isn't known here
};

/// Where a rule sends a packet instead.
struct Destination
{
    std::optional<Address> address{};  ///< nullopt: the node itself
    std::uint16_t port = 0;            ///< 0: as it was

    auto operator<=>(const Destination&) const = default;
};

/// A rule that looks into a map is here as one for each of its elements.
struct FilterRule
{
    std::vector<RuleCondition> conditions;
    RuleVerdict verdict = RuleVerdict::none;
    std::string target{};  ///< a chain's name, or the extension's
    Destination to{};
    std::size_t number = 0;  ///< in its chain, from 1, as the kernel lists it
};

enum class FilterHook { prerouting, input, forward, output, postrouting };

enum class FilterFamily { v4, v6, both };

/// Where a base chain hangs.
struct FilterBase
{
    FilterHook hook{};
    bool drops = false;  ///< its policy
};

struct FilterChain
{
    bool legacy = false;  ///< of iptables-legacy; else of nftables, which iptables-nft writes, too
    FilterFamily family{};
    std::string table;
    std::string name;
    std::optional<FilterBase> base{};
    std::vector<FilterRule> rules{};

    /// `chain FORWARD of table ip filter`, with `(iptables-legacy)` where that is so.
    std::string to_string() const;
};

/// A packet on its way through the node. What isn't known leaves the conditions on it open.
struct Passage
{
    bool v4 = true;
    bool opens = true;  ///< the first packet of a connection; else one of an established connection
    std::string in_device{};
    std::string out_device{};
    std::optional<Address> source{};
    std::optional<Address> destination{};
    std::optional<bool> local{};  ///< to one of the node's own addresses
    std::uint8_t protocol = 6;    ///< TCP
    std::uint16_t port = 0;       ///< the destination's; 0: not known

    auto operator<=>(const Passage&) const = default;
};

/// The end that a passage finds in a base chain.
struct FilterRefusal
{
    FilterChain chain{};   ///< where the refusing rule stands, without rules; its base's, where it is the policy
    std::string base{};    ///< name of the base chain that leads there
    std::size_t rule = 0;  ///< its number there, from 1; 0: the policy
    bool silent = false;   ///< dropped, not rejected
    bool perhaps = false;  ///< a rule before may accept it, by what isn't known here
};

/// The base chains at `hook` that refuse the passage where no rule before has accepted it. What only some packets of
/// its kind meet (a port, a rate) isn't counted.
std::vector<FilterRefusal> find_refusals(const std::vector<FilterChain>& chains, FilterHook hook,
                                         const Passage& passage);

/// The base chains at `hook` that refuse at least some packets like it.
std::vector<FilterChain> find_guards(const std::vector<FilterChain>& chains, FilterHook hook, const Passage& passage);

/// Packets like the passage that go elsewhere, before any routing.
struct Translation
{
    FilterChain chain{};            ///< where the rule stands that singles them out, without rules
    std::optional<Address> at{};    ///< the only destination that is concerned; nullopt: others are, too
    std::vector<Destination> to{};  ///< each once, in no order
};

/// What rules that name the passage's port, or that it meets for certain, send elsewhere; one for each chain and
/// destination. `may_go_to`: whether an address is one that the passage may have as its destination.
std::vector<Translation> find_translations(const std::vector<FilterChain>& chains, const Passage& passage,
                                           const std::function<bool(const Address&)>& may_go_to);

}  // namespace sallyport
