// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is in the kernel, and what of the node's network it doesn't get along with.
#include "findings.hpp"

#include "sallyport/abi.h"
#include "sallyport/doctor.hpp"
#include "sallyport/inspection.hpp"

#include <algorithm>
#include <iterator>

namespace sallyport {

namespace {

constexpr const char* who_repairs = "the agent repairs it, and so does the next gateway pod's ADD";

template <typename Item>
std::vector<std::string> texts_of(const std::vector<Item>& items)
{
    std::vector<std::string> texts;
    for (const Item& item : items)
        texts.push_back(item.to_string());
    return texts;
}

/// Of an exposure with a hostIP: nobody gets there where that isn't answered.
bool is_out_of_reach(const NodePortReport& port, const Answered& answered)
{
    const Address& address = port.node_port.address;
    return !address.is_any() && !address.is_localhost() && !answered.contains(address);
}

void check_followed(const DatapathFacts& datapath, bool at_node, Findings& findings)
{
    constexpr const char* who_follows = "the agent follows addresses, and so does the next gateway pod's ADD or DEL";
    const auto out_of_reach = ports_where(
        datapath.report, [&](const NodePortReport& port) { return is_out_of_reach(port, datapath.report.answered); });
    if (at_node && !datapath.unanswered.empty())
        findings.failure("addresses", "node ports aren't answered on " + joined(texts_of(datapath.unanswered)),
                         who_follows);
    if (!datapath.stale.empty())
        findings.warning("addresses",
                         "node ports are answered on " + joined(texts_of(datapath.stale)) +
                             ", which isn't the node's, or not to be answered any more",
                         who_follows);
    if (!out_of_reach.empty())
        findings.failure("host-ip", "nobody reaches node port " + joined(out_of_reach) + ": its address isn't answered",
                         "put the address into `addresses`, or start the pod anew with another hostIP");
    if (at_node && datapath.unanswered.empty() && datapath.stale.empty())
        findings.fine("addresses", "node ports are answered on all addresses that they should be");
}

}  // namespace

std::vector<Finding> check_network(const NetworkFacts& network)
{
    Findings findings("network");
    if (!network.problem.empty()) {
        findings.failure("devices", network.problem, "name the devices of outside traffic in `devices`");
        return findings.take();
    }
    std::vector<std::string> names;
    for (const Device& device : network.devices)
        names.push_back(device.name);
    findings.fine("devices", "outside traffic arrives on " + joined(names) + (network.cilium ? ", beside Cilium" : ""));
    if (!network.xdp.empty())
        findings.warning("xdp", "XDP runs before sallyport on " + joined(network.xdp),
                         "what it drops or redirects never reaches a node port: with Cilium, give no service the same "
                         "port, or set loadBalancer.acceleration=disabled");
    return findings.take();
}

std::vector<Finding> check_state(const StateFacts& state, const Paths& paths)
{
    Findings findings("datapath");
    const std::string where = paths.bpffs / "sallyport";
    if (!state.elsewhere.empty())
        findings.failure("state",
                         "our programs run at " + joined(state.elsewhere) + ", and their state isn't below " + where +
                             " as it is seen from here",
                         look_elsewhere);
    else if (!state.exists)
        findings.fine("state", "no gateway pod has come yet: nothing is in the kernel");
    else if (state.abi && *state.abi != SALLYPORT_ABI)
        findings.failure("abi",
                         "what is pinned in " + where + " is of ABI " + std::to_string(*state.abi) +
                             ", and this binary of ABI " + std::to_string(SALLYPORT_ABI),
                         "use the binary that made it, or drain the node's gateway pods and start them anew");
    else if (!state.complete)
        findings.warning("state", "what is pinned in " + where + " isn't complete", who_repairs);
    else if (!state.of_this_build)
        findings.warning("build", "the pinned programs are of another build than this binary",
                         "traffic flows; the agent replaces them, and so does the next gateway pod's ADD");
    else
        findings.fine("state", "tables and programs in " + where + " are this build's");
    return findings.take();
}

std::vector<Finding> check_datapath(const DatapathFacts& datapath)
{
    Findings findings("datapath");
    const bool at_node = !datapath.report.node_ports.empty();
    for (const std::string& hook : datapath.missing_hooks)
        findings.failure("hooks", "missing: " + hook, who_repairs);
    if (at_node && datapath.missing_hooks.empty())
        findings.fine("hooks", "sallyport runs, first of all, on " + joined(datapath.report.devices));
    check_followed(datapath, at_node, findings);
    if (!datapath.vanished.empty())
        findings.warning("vanished", "pod " + joined(datapath.vanished) + " went without the runtime's DEL",
                         "the agent removes what it held, and so does the next gateway pod's ADD or DEL");
    return findings.take();
}

std::vector<Finding> examine(const Facts& facts)
{
    std::vector<Finding> all;
    const auto append = [&](std::vector<Finding> more) {
        std::move(more.begin(), more.end(), std::back_inserter(all));
    };
    append(check_host(facts.host, facts.config.config, facts.network.cilium));
    append(check_runtime(facts.runtime, facts.chain));
    if (facts.agent)
        append(check_agent(*facts.agent));
    append(check_chain(facts.chain, facts.runtime));
    append(check_config(facts.config));
    append(check_binary(facts.binary));
    append(check_network(facts.network));
    append(check_addresses(facts.network));
    append(check_filter(facts.filter, facts.config.config, facts.network.cilium));
    append(check_state(facts.state, facts.config.config.paths));
    if (!facts.datapath_problem.empty())
        all.push_back({"datapath", "readable", Level::failure, facts.datapath_problem, who_repairs});
    if (facts.datapath) {
        append(check_datapath(*facts.datapath));
        append(check_ports(facts.datapath->report, facts.network));
    }
    return all;
}

std::string_view name(Level level)
{
    switch (level) {
    case Level::fine:
        return "ok";
    case Level::note:
        return "note";
    case Level::warning:
        return "warning";
    case Level::failure:
        return "failure";
    }
    return "";
}

}  // namespace sallyport
