// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Node ports: who serves behind them, who else does, and what became of their packets.
#include "findings.hpp"

#include "sallyport/cli/status_view.hpp"
#include "sallyport/doctor.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace sallyport {

namespace {

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

bool is_of_cilium(const Frontend& frontend)
{
    return frontend.by == Frontend().by;
}

/// Those that node ports take over.
std::vector<Frontend> taken_over(const NodeReport& report, const NetworkFacts& network)
{
    std::vector<Frontend> frontends;
    std::ranges::copy_if(network.frontends, std::back_inserter(frontends), [&](const Frontend& frontend) {
        return std::ranges::any_of(report.node_ports, [&](const NodePortReport& port) {
            return is_taken_over(frontend, port.node_port, report.answered);
        });
    });
    return frontends;
}

std::string place_of(const Frontend& frontend)
{
    return frontend.at.to_string() + " (" + std::string(name(frontend.kind)) + ")";
}

/// What others but Cilium serve at the places of node ports, for others than the pods there.
void check_others(const std::vector<Frontend>& frontends, const NodeReport& report, Findings& findings)
{
    std::set<Address> pods;
    for (const NodePortReport& port : report.node_ports)
        for (const PodReport& pod : port.pods)
            pods.insert(pod.backend.address);
    std::map<std::string, std::vector<std::string>> ports;
    for (const Frontend& frontend : frontends)
        if (!is_of_cilium(frontend) && is_for_others(frontend, pods, report.answered))
            ports[frontend.by].push_back(place_of(frontend));
    for (const auto& [who, places] : ports)
        findings.warning("port-served",
                         who + " serves " + joined(places) + ", where a node port is: sallyport wins, silently",
                         "give one of them another port: its own clients get the gateway");
}

/// What Cilium serves at the places of node ports.
void check_cilium(const std::vector<Frontend>& frontends, const NetworkFacts& network, Findings& findings)
{
    std::vector<std::string> ports;
    std::set<std::string> whole_addresses;
    for (const Frontend& frontend : frontends) {
        if (!is_of_cilium(frontend))
            continue;
        if (number(frontend.at.port) == 0)
            whole_addresses.insert(frontend.at.address.to_string());
        else
            ports.push_back(place_of(frontend));
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

std::vector<std::string> ports_where(const NodeReport& report, const std::function<bool(const NodePortReport&)>& holds)
{
    std::vector<std::string> names;
    for (const PortGroup& group : group_ports(report.node_ports))
        if (std::any_of(group.halves.begin(), group.halves.end(), holds))
            names.push_back(group.name);
    return names;
}

std::vector<Finding> check_ports(const NodeReport& report, const NetworkFacts& network)
{
    Findings findings("node ports");
    check_listeners(report, findings);
    check_numbers(report, network, findings);
    const std::vector<Frontend> served = taken_over(report, network);
    check_cilium(served, network, findings);
    check_others(served, report, findings);
    if (network.cilium && !ports_where(report, has_v6).empty())
        findings.note("icmpv6", "gateways have IPv6: under an ingress policy, Cilium drops ICMPv6 PacketTooBig",
                      "where clients are behind a smaller MTU, allow ICMPv6 type 2 in the gateways' "
                      "CiliumNetworkPolicy (`icmps`)");
    check_counters(report, findings);
    return findings.take();
}

}  // namespace sallyport
