// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the node's packet filter does with connections to node ports: FORWARD may refuse them, and INPUT, which guards
// the node's own ports, never sees them.
#include "findings.hpp"

#include "sallyport/doctor.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

namespace sallyport {

namespace {

constexpr const char* at_boot =
    "; the same goes where these rules are restored from at boot (conf/docs/troubleshoot.md)";

/// `lxc+` for `lxc12ab`: pods' devices have names of one beginning, and their own go with the pod.
std::string pattern_for(const std::string& device)
{
    constexpr std::array<std::string_view, 7> beginnings{"lxc", "veth", "cali", "eni", "azv", "gke", "tap"};
    for (const std::string_view beginning : beginnings)
        if (device.starts_with(beginning))
            return std::string(beginning) + '+';
    return device.empty() ? "<device of the pods>" : device;
}

/// Is it a table that iptables commands write? They name the hooks' chains in capitals.
bool is_of_iptables(const FilterRefusal& refusal)
{
    return refusal.chain.legacy || (refusal.chain.family != FilterFamily::both &&
                                    std::all_of(refusal.base.begin(), refusal.base.end(),
                                                [](unsigned char c) { return std::isupper(c) != 0; }));
}

std::string iptables_command(const FilterChain& chain)
{
    std::string command = chain.family == FilterFamily::v6 ? "ip6tables" : "iptables";
    command += chain.legacy ? "-legacy" : "-nft";
    return chain.table == "filter" ? command : command + " -t " + chain.table;
}

/// The commands that let pass what goes to a device and comes from it.
std::string cure_for(const FilterRefusal& refusal, const std::string& device)
{
    std::string pattern = pattern_for(device);
    if (is_of_iptables(refusal)) {
        const std::string insert = iptables_command(refusal.chain) + " -I " + refusal.base;
        return "`" + insert + " -o " + pattern + " -j ACCEPT` and `" + insert + " -i " + pattern + " -j ACCEPT`";
    }
    if (pattern.ends_with('+'))
        pattern.back() = '*';
    const std::string family = refusal.chain.family == FilterFamily::both ? "inet"
                               : refusal.chain.family == FilterFamily::v6 ? "ip6"
                                                                          : "ip";
    const std::string insert = "nft insert rule " + family + ' ' + refusal.chain.table + ' ' + refusal.base;
    return "`" + insert + " oifname \"" + pattern + "\" accept` and `" + insert + " iifname \"" + pattern +
           "\" accept`";
}

std::string place_of(const FilterRefusal& refusal)
{
    return refusal.chain.to_string() +
           (refusal.rule == 0 ? " (its policy)" : " (rule " + std::to_string(refusal.rule) + ")");
}

/// A refused passage, as a sentence; "pods" where the device isn't known yet.
std::string sentence(const FilterRefusal& refusal, const Passage& passage)
{
    const auto named = [](const std::string& device) { return device.empty() ? "pods' devices" : device; };
    const std::string way = (passage.opens ? "what goes from " : "the answers from ") + named(passage.in_device) +
                            " to " + named(passage.out_device);
    const std::string may = refusal.perhaps ? " what no rule before it accepts, of " : " ";
    if (refusal.silent)
        return place_of(refusal) + " drops" + may + way + ": clients time out";
    return place_of(refusal) + " rejects" + may + way +
           ": clients see \"No route to host\" or \"Permission denied\", or are refused";
}

Passage answer_to(const Passage& passage)
{
    return {.v4 = passage.v4,
            .opens = false,
            .in_device = passage.out_device,
            .out_device = passage.in_device,
            .source = passage.destination,
            .destination = {}};
}

void check_forward(const FilterFacts& filter, bool cilium, Findings& findings)
{
    std::set<std::string> said;  // once for each place and cure, however many pods there are
    bool fine = true;
    const auto judge = [&](const Passage& passage, const std::string& device) {
        for (const FilterRefusal& refusal : find_refusals(filter.chains, FilterHook::forward, passage)) {
            fine = fine && refusal.perhaps;
            if (!said.insert(place_of(refusal) + device).second)
                continue;
            const std::string what = sentence(refusal, passage);
            const std::string advice = cure_for(refusal, device) + at_boot;
            if (refusal.perhaps)
                findings.note("forward-filter", what, "if node ports time out or are refused from outside: " + advice);
            else if (cilium)
                findings.warning("forward-filter", what + ", unless Cilium's BPF host routing goes past it", advice);
            else
                findings.failure("forward-filter", what, advice);
        }
    };
    for (const Passage& passage : filter.towards_pods) {
        judge(passage, passage.out_device);
        judge(answer_to(passage), passage.out_device);
    }
    if (fine && said.empty())
        findings.fine("forward-filter", "the packet filter forwards what goes to pods, and their answers");
}

/// With fastPath only answers by another device than their requests came in by are forwarded.
void check_forward_beside_fast_path(const FilterFacts& filter, Findings& findings)
{
    std::set<std::string> devices;
    for (const Passage& passage : filter.towards_pods)
        devices.insert(passage.in_device);
    for (const Passage& passage : filter.towards_pods)
        for (const FilterRefusal& refusal : find_refusals(filter.chains, FilterHook::forward, answer_to(passage)))
            if (devices.size() > 1 && !refusal.perhaps) {
                findings.note("forward-filter",
                              "fastPath is on: packets go past the packet filter, but for answers to clients whose "
                              "route is by another device than they came in by. Of those, " +
                                  sentence(refusal, answer_to(passage)),
                              "if there are such clients: " + cure_for(refusal, passage.out_device) + at_boot);
                return;
            }
    findings.fine("forward-filter", "fastPath is on: packets go past the packet filter");
}

void check_input(const FilterFacts& filter, Findings& findings)
{
    std::vector<std::string> guards;
    for (const bool v4 : {true, false})
        for (const FilterChain& chain : find_guards(filter.chains, FilterHook::input, {.v4 = v4}))
            if (const std::string name = chain.to_string();
                std::find(guards.begin(), guards.end(), name) == guards.end())
                guards.push_back(name);
    if (!guards.empty())
        findings.note("input-filter",
                      joined(guards) + " doesn't guard node ports: their packets go to pods, by FORWARD",
                      "say who may reach a gateway in its pod's NetworkPolicy, for the container port");
}

}  // namespace

std::vector<Finding> check_filter(const FilterFacts& filter, const Config& config, bool cilium)
{
    Findings findings("network");
    if (!filter.problem.empty()) {
        findings.note("forward-filter", filter.problem,
                      "look yourself whether what goes to pods is forwarded: `nft list ruleset`, `iptables-legacy -S`");
        return findings.take();
    }
    if (config.fast_path)
        check_forward_beside_fast_path(filter, findings);
    else
        check_forward(filter, cilium, findings);
    check_input(filter, findings);
    return findings.take();
}

}  // namespace sallyport
