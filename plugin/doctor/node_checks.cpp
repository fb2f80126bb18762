// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is in the kernel, and what of the node's network it doesn't get along with.
#include "findings.hpp"

#include "sallyport/abi.h"
#include "sallyport/cli/status_view.hpp"
#include "sallyport/doctor.hpp"

#include <algorithm>
#include <functional>
#include <set>

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

/// Names of the node ports for which `holds`, each once.
std::vector<std::string> ports_where(const NodeReport& report, const std::function<bool(const NodePortReport&)>& holds)
{
    std::vector<std::string> names;
    for (const PortGroup& group : group_ports(report.node_ports))
        if (std::any_of(group.halves.begin(), group.halves.end(), holds))
            names.push_back(group.name);
    return names;
}

bool has_v6(const NodePortReport& port)
{
    return std::any_of(port.pods.begin(), port.pods.end(),
                       [](const PodReport& pod) { return !pod.backend.address.is_v4(); });
}

bool nobody_serves(const NodePortReport& port)
{
    return !port.pods.empty() &&
           std::none_of(port.pods.begin(), port.pods.end(), [](const PodReport& pod) { return serves(pod.candidate); });
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

void check_numbers(const NodeReport& report, const NetworkFacts& network, Findings& findings)
{
    const auto in_range = ports_where(report, [](const NodePortReport& port) {
        return number(port.node_port.port) >= 30000 && number(port.node_port.port) <= 32767;
    });
    if (!in_range.empty())
        findings.warning("node-port-range",
                         "node port " + joined(in_range) +
                             " lies in 30000-32767, where Kubernetes gives Services theirs",
                         "choose a port below 30000: a Service of that port would silently lose its traffic here");
    const auto high =
        ports_where(report, [](const NodePortReport& port) { return number(port.node_port.port) > 32767; });
    const auto given = ports_where(report, [&](const NodePortReport& port) {
        return std::ranges::any_of(network.given_ports, [&](const PortRange& range) {
            return range.first <= number(port.node_port.port) && number(port.node_port.port) <= range.last;
        });
    });
    if (!high.empty() && network.cilium)
        findings.warning("high-port",
                         "node port " + joined(high) + " is above 32767, where Cilium may give replies another port",
                         "choose a port below 30000: connections break when another one holds the port in Cilium's "
                         "SNAT table");
    else if (!given.empty())
        findings.note("high-port",
                      "node port " + joined(given) +
                          " is among the ports that the kernel gives to the node's own connections, and those aren't "
                          "refused as a bind() is",
                      "choose one below net.ipv4.ip_local_port_range, or put it into "
                      "net.ipv4.ip_local_reserved_ports");
}

/// "apisix/apisix-1 (nothing listens on 10.0.1.7:9080/tcp)", of each pod behind a port where nobody serves.
std::vector<std::string> reasons_of_silence(const NodeReport& report)
{
    std::set<std::string> reasons;
    for (const NodePortReport& port : report.node_ports)
        if (nobody_serves(port))
            for (const PodReport& pod : port.pods)
                reasons.insert(full_name(pod) + " (" + describe(pod.candidate, report.sample.at) + ")");
    return {reasons.begin(), reasons.end()};
}

/// What Cilium serves at the places of node ports.
void check_cilium(const NodeReport& report, const NetworkFacts& network, Findings& findings)
{
    std::vector<std::string> ports;
    std::set<std::string> whole_addresses;
    for (const Frontend& frontend : network.cilium_frontends) {
        const auto taken_over = [&](const NodePortReport& port) {
            return is_taken_over(frontend, port.node_port, report.answered);
        };
        if (std::ranges::none_of(report.node_ports, taken_over))
            continue;
        if (number(frontend.at.port) == 0)
            whole_addresses.insert(frontend.at.address.to_string());
        else
            ports.push_back(frontend.at.to_string() + " (" + std::string(name(frontend.kind)) + ")");
    }
    const bool xdp = std::ranges::any_of(
        network.xdp, [](const std::string& each) { return each.find("cil_") != std::string::npos; });
    const std::string who_wins = xdp ? ": from outside Cilium wins, by its XDP program, and from the node sallyport"
                                     : ": on this node sallyport wins, silently";
    if (!ports.empty())
        findings.warning("cilium-service", "Cilium serves " + joined(ports) + ", where a node port is" + who_wins,
                         "give the Service or hostPort another port, or the gateway: `cilium-dbg service list` shows "
                         "whose it is");
    if (!whole_addresses.empty())
        findings.warning("cilium-address",
                         joined({whole_addresses.begin(), whole_addresses.end()}) +
                             " is a load balancer's address in Cilium, all ports of it" + who_wins,
                         "let one of them have it: take the address away by a `!` in `addresses`, or from the Service");
}

void check_listeners(const NodeReport& report, Findings& findings)
{
    const auto silent = ports_where(report, nobody_serves);
    if (!silent.empty())
        findings.warning("listener",
                         "no pod is known to serve behind node port " + joined(silent) + ": " +
                             joined(reasons_of_silence(report)),
                         "`sallyport status` shows each pod; compare the annotation's container port with what "
                         "the gateway opens. A pod without a socket of its own is known once it has answered");
    const auto waiting = ports_where(report, [](const NodePortReport& port) { return port.waits_for.has_value(); });
    if (!waiting.empty())
        findings.note("waiting", "node port " + joined(waiting) + " has no pod and waits for the next one");
    if (silent.empty() && waiting.empty() && !report.node_ports.empty())
        findings.fine("listener", "a pod serves behind each node port");
}

std::string packets(std::uint64_t count)
{
    return std::to_string(count) + (count == 1 ? " packet was" : " packets were");
}

void check_counters(const NodeReport& report, Findings& findings)
{
    std::uint64_t held = 0;
    for (const NodePortReport& port : report.node_ports)
        held += port.traffic.held;
    if (held > 0)
        findings.note("held", packets(held) + " held while nobody listened",
                      "`sallyport trace` shows when; a rollout in which the new pod listens before the old one ends "
                      "holds none");
    std::uint64_t dropped = 0;
    std::vector<std::string> reasons;
    for (const auto& [reason, packets] : report.drops)
        if (packets > 0) {
            dropped += packets;
            reasons.push_back(reason + ": " + std::to_string(packets));
        }
    if (dropped > 0)
        findings.warning("drops", packets(dropped) + " dropped (" + joined(reasons) + ")",
                         "`sallyport trace` shows which, and conf/docs/reference.md what each reason means");
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
    if (!state.exists)
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

std::vector<Finding> check_ports(const NodeReport& report, const NetworkFacts& network)
{
    Findings findings("node ports");
    check_listeners(report, findings);
    check_numbers(report, network, findings);
    check_cilium(report, network, findings);
    if (network.cilium && !ports_where(report, has_v6).empty())
        findings.note("icmpv6", "gateways have IPv6: under an ingress policy, Cilium drops ICMPv6 PacketTooBig",
                      "where clients are behind a smaller MTU, allow ICMPv6 type 2 in the gateways' "
                      "CiliumNetworkPolicy (`icmps`)");
    check_counters(report, findings);
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
