// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a packet filter does with a connection. How its rules are read is shown by the node tests, with real ones.
#include "sallyport/packet_filter.hpp"

#include "sallyport/doctor.hpp"
#include "support/findings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

using On = RuleCondition::On;
using Verdict = RuleVerdict;

FilterRule rule(Verdict verdict, std::vector<RuleCondition> conditions = {}, const std::string& target = "")
{
    return {std::move(conditions), verdict, target};
}

RuleCondition to_device(const std::string& device, bool inverted = false)
{
    return {.on = On::out_device, .inverted = inverted, .device = device};
}

RuleCondition to_address(const std::string& prefix)
{
    return {.on = On::destination, .prefix = *Prefix::parse(prefix)};
}

const RuleCondition established{.on = On::connection, .opens = false};
const RuleCondition unread{};

std::vector<FilterRule> numbered(std::vector<FilterRule> rules)
{
    for (std::size_t i = 0; i < rules.size(); ++i)
        rules[i].number = i + 1;
    return rules;
}

FilterChain forward(std::vector<FilterRule> rules, bool drops = false)
{
    return {.family = FilterFamily::v4,
            .table = "filter",
            .name = "FORWARD",
            .base = FilterBase{FilterHook::forward, drops},
            .rules = numbered(std::move(rules))};
}

FilterChain chain(const std::string& name, std::vector<FilterRule> rules)
{
    return {.family = FilterFamily::v4, .table = "filter", .name = name, .rules = numbered(std::move(rules))};
}

const Passage to_pod{.in_device = "eth0", .out_device = "lxc7", .destination = Address::parse("10.0.1.7")};

/// "rule 2", "policy", with "?" where a rule before may accept it; "-" where nothing refuses it.
std::string verdict_on(const std::vector<FilterChain>& chains, const Passage& passage = to_pod)
{
    const auto refusals = find_refusals(chains, FilterHook::forward, passage);
    if (refusals.empty())
        return "-";
    CHECK(refusals.size() == 1);
    CHECK(refusals[0].base == "FORWARD");
    const std::string place = refusals[0].rule == 0 ? "policy" : "rule " + std::to_string(refusals[0].rule);
    return refusals[0].chain.name + ' ' + place + (refusals[0].silent ? " silent" : "") +
           (refusals[0].perhaps ? "?" : "");
}

FilterFacts facts_with(std::vector<FilterChain> chains)
{
    FilterFacts facts;
    facts.chains = std::move(chains);
    facts.towards_pods = {to_pod};
    return facts;
}

}  // namespace

TEST_CASE("rules have their turn in order", "[filter]")
{
    CHECK(verdict_on({}) == "-");
    CHECK(verdict_on({forward({})}) == "-");
    CHECK(verdict_on({forward({}, true)}) == "FORWARD policy silent");
    CHECK(verdict_on({forward({rule(Verdict::none), rule(Verdict::reject)})}) == "FORWARD rule 2");
    CHECK(verdict_on({forward({rule(Verdict::accept), rule(Verdict::reject)}, true)}) == "-");
    CHECK(verdict_on({forward({rule(Verdict::drop), rule(Verdict::accept)})}) == "FORWARD rule 1 silent");
    CHECK(verdict_on({forward({rule(Verdict::unknown), rule(Verdict::reject)})}) == "FORWARD rule 2?");
}

TEST_CASE("a condition is met, unmet, or not known", "[filter]")
{
    const auto accepted_if = [](const RuleCondition& condition, const Passage& passage = to_pod) {
        return verdict_on({forward({rule(Verdict::accept, {condition}), rule(Verdict::reject)})}, passage);
    };
    CHECK(accepted_if(to_device("lxc+")) == "-");
    CHECK(accepted_if(to_device("lxc7")) == "-");
    CHECK(accepted_if(to_device("+")) == "-");
    CHECK(accepted_if(to_device("lxc")) == "FORWARD rule 2");
    CHECK(accepted_if(to_device("lxc7", true)) == "FORWARD rule 2");
    CHECK(accepted_if(to_device("eth0", true)) == "-");
    CHECK(accepted_if({.on = On::in_device, .device = "eth0"}) == "-");
    CHECK(accepted_if(to_address("10.0.0.0/16")) == "-");
    CHECK(accepted_if(to_address("10.1.0.0/16")) == "FORWARD rule 2");
    CHECK(accepted_if({.on = On::source, .prefix = *Prefix::parse("10.0.0.0/8")}) == "FORWARD rule 2?");
    CHECK(accepted_if({.on = On::protocol, .protocol = 6}) == "-");
    CHECK(accepted_if({.on = On::protocol, .protocol = 1}) == "FORWARD rule 2");
    CHECK(accepted_if({.on = On::family, .prefix = {Address::any_v4(), 96}}) == "-");
    CHECK(accepted_if({.on = On::family, .prefix = {Address::any_v6(), 0}}) == "FORWARD rule 2");
    CHECK(accepted_if(unread) == "FORWARD rule 2?");
    CHECK(accepted_if({.on = On::something, .inverted = true}) == "FORWARD rule 2?");
    CHECK(accepted_if(established) == "FORWARD rule 2");
    Passage answer = to_pod;
    answer.opens = false;
    CHECK(accepted_if(established, answer) == "-");
    Passage unknown = to_pod;
    unknown.out_device.clear();
    CHECK(accepted_if(to_device("lxc+"), unknown) == "FORWARD rule 2?");
}

TEST_CASE("what only some packets meet is no refusal", "[filter]")
{
    CHECK(verdict_on({forward({rule(Verdict::drop, {unread})})}) == "-");
    CHECK(verdict_on({forward({rule(Verdict::jump, {unread}, "A")}), chain("A", {rule(Verdict::reject)})}) == "-");
    CHECK(verdict_on({forward({rule(Verdict::drop, {unread}), rule(Verdict::accept)}, true)}) == "-");
    CHECK(find_guards({forward({rule(Verdict::drop, {unread})})}, FilterHook::forward, to_pod).size() == 1);
    CHECK(find_guards({forward({rule(Verdict::drop, {to_device("eth9")})})}, FilterHook::forward, to_pod).empty());
}

TEST_CASE("chains are jumped to, gone to and come back from", "[filter]")
{
    const FilterChain returns = chain("A", {rule(Verdict::give_back), rule(Verdict::accept)});
    CHECK(verdict_on({forward({rule(Verdict::jump, {}, "A"), rule(Verdict::reject)}), returns}) == "FORWARD rule 2");
    // Who went returns to the base chain's end, and so to its policy.
    CHECK(verdict_on({forward({rule(Verdict::go_to, {}, "A"), rule(Verdict::reject)}, true), returns}) ==
          "FORWARD policy silent");
    CHECK(verdict_on({forward({rule(Verdict::go_to, {}, "A"), rule(Verdict::reject)}), returns}) == "-");
    CHECK(verdict_on({forward({rule(Verdict::go_to, {unread}, "A"), rule(Verdict::reject)}), returns}) ==
          "FORWARD rule 2");
    const FilterChain accepts = chain("B", {rule(Verdict::accept, {to_device("lxc+")})});
    CHECK(verdict_on({forward({rule(Verdict::jump, {}, "B"), rule(Verdict::reject)}), accepts}) == "-");
    CHECK(verdict_on({forward({rule(Verdict::jump, {unread}, "B"), rule(Verdict::reject)}), accepts}) ==
          "FORWARD rule 2?");
    const FilterChain refuses = chain("C", {rule(Verdict::none), rule(Verdict::reject)});
    CHECK(verdict_on({forward({rule(Verdict::jump, {}, "C")}), refuses}) == "C rule 2");
    CHECK(verdict_on({forward({rule(Verdict::jump, {}, "gone")}, true)}) == "FORWARD policy silent");
    const FilterChain loop = chain("D", {rule(Verdict::jump, {}, "D")});
    CHECK(verdict_on({forward({rule(Verdict::jump, {}, "D")}, true), loop}) == "FORWARD policy silent");
}

TEST_CASE("a chain is found in its own table, and heard for its own family", "[filter]")
{
    FilterChain other = chain("A", {rule(Verdict::accept)});
    other.table = "mangle";
    CHECK(verdict_on({other, forward({rule(Verdict::jump, {}, "A"), rule(Verdict::reject)})}) == "FORWARD rule 2");
    other.table = "filter";
    other.legacy = true;
    CHECK(verdict_on({other, forward({rule(Verdict::jump, {}, "A"), rule(Verdict::reject)})}) == "FORWARD rule 2");
    Passage v6 = to_pod;
    v6.v4 = false;
    CHECK(verdict_on({forward({}, true)}, v6) == "-");
    FilterChain both = forward({}, true);
    both.family = FilterFamily::both;
    CHECK(verdict_on({both}, v6) == "FORWARD policy silent");
    FilterChain input = forward({}, true);
    input.base->hook = FilterHook::input;
    CHECK(verdict_on({input}) == "-");
}

TEST_CASE("what the doctor makes of a packet filter", "[doctor][filter]")
{
    const auto level = [](const FilterFacts& facts, bool cilium = false) {
        return level_of(check_filter(facts, {}, cilium), "forward-filter");
    };
    const FilterFacts rejecting = facts_with({forward({rule(Verdict::reject)})});
    CHECK(level(facts_with({})) == "ok");
    CHECK(level(rejecting) == "failure");
    CHECK(level(rejecting, true) == "warning");  // whose BPF host routing may go past it
    CHECK(level(facts_with({forward({rule(Verdict::accept, {unread})}, true)})) == "note");
    FilterFacts unreadable;
    unreadable.problem = "list the rules of nftables over netlink: Operation not permitted";
    CHECK(level(unreadable) == "note");
    Config fast;
    fast.fast_path = true;
    CHECK(level_of(check_filter(rejecting, fast, false), "forward-filter") == "ok");
    FilterFacts multi_homed = rejecting;  // there, some answers take the stack all the same
    multi_homed.towards_pods.push_back(multi_homed.towards_pods.front());
    multi_homed.towards_pods.back().in_device = "eth1";
    CHECK(level_of(check_filter(multi_homed, fast, false), "forward-filter") == "note");
    multi_homed.chains.clear();
    CHECK(level_of(check_filter(multi_homed, fast, false), "forward-filter") == "ok");
}

TEST_CASE("the doctor's cure is in the dialect of the rule that refuses", "[doctor][filter]")
{
    FilterChain refusing = forward({rule(Verdict::reject)});
    const auto cure = [&] { return advice_of(check_filter(facts_with({refusing}), {}, false), "forward-filter"); };
    CHECK(cure().starts_with(
        "`iptables-nft -I FORWARD -o lxc+ -j ACCEPT` and `iptables-nft -I FORWARD -i lxc+ -j ACCEPT`"));
    refusing.legacy = true;
    CHECK(cure().starts_with("`iptables-legacy -I FORWARD -o lxc+"));
    refusing.table = "mangle";
    CHECK(cure().starts_with("`iptables-legacy -t mangle -I FORWARD"));
    refusing.legacy = false;
    refusing.family = FilterFamily::both;
    refusing.table = "fw";
    refusing.name = "ways";
    CHECK(cure().starts_with("`nft insert rule inet fw ways oifname \"lxc*\" accept`"));
}

TEST_CASE("INPUT is said not to guard node ports", "[doctor][filter]")
{
    FilterChain input = forward({rule(Verdict::drop, {unread})});
    input.name = "INPUT";
    input.base->hook = FilterHook::input;
    const auto findings = check_filter(facts_with({input}), {}, false);
    CHECK(level_of(findings, "input-filter") == "note");
    CHECK(find_check(findings, "input-filter")->what.find("chain INPUT of table ip filter") != std::string::npos);
    CHECK(level_of(check_filter(facts_with({}), {}, false), "input-filter") == "-");
}
