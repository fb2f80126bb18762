// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/report.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace sallyport {

namespace {

using std::chrono::milliseconds;

/// What all entries of the tables are looked at with.
struct Look
{
    const Datapath& datapath;
    const FlowCount& flows;
    const TrafficSample& sample;
    std::map<std::uint64_t, BoundPod> pods;                    ///< by generation
    std::map<std::uint64_t, Word> words;                       ///< the same
    std::map<std::pair<std::uint64_t, Backend>, Seen> seen{};  ///< of their backends

    /// Asks the kernel once: many node ports may lead to one listener.
    const Seen& look(const NodePortBackend& backend, const BoundPod& pod)
    {
        const auto [found, is_new] = seen.try_emplace({backend.generation, backend.backend});
        if (is_new)
            found->second = datapath.look(backend, pod.netns_id);
        return found->second;
    }
};

PodReport report_pod(Look& look, const NodePort& node_port, const NodePortBackend& backend)
{
    PodReport report;
    report.backend = backend.backend;
    report.candidate.listener = {backend.backend.address, backend.listener, backend.backend.protocol};
    if (const auto pod = look.pods.find(backend.generation); pod != look.pods.end()) {
        report.pod_namespace = pod->second.pod_namespace;
        report.pod = pod->second.pod_name.empty() ? pod->second.id.container_id : pod->second.pod_name;
        report.container_id = pod->second.id.container_id;
        report.candidate.seen = look.look(backend, pod->second);
    }
    if (const auto word = look.words.find(backend.generation); word != look.words.end())
        report.candidate.word = word->second;
    const auto count = look.flows.by_exposure.find({backend.generation, node_port});
    report.flows = count == look.flows.by_exposure.end() ? 0 : count->second;
    return report;
}

Rates rates_between(const Traffic& before, const Traffic& after, Instant::duration interval)
{
    const double seconds = std::chrono::duration<double>(interval).count();
    const auto rate = [&](std::uint64_t from, std::uint64_t to) {
        return to > from && seconds > 0 ? static_cast<double>(to - from) / seconds : 0;
    };
    return {rate(before.connections, after.connections), rate(before.bytes_from_client, after.bytes_from_client),
            rate(before.bytes_from_pod, after.bytes_from_pod)};
}

NodePortReport report_node_port(Look& look, const NodePortEntry& entry)
{
    NodePortReport port;
    port.node_port = entry.node_port;
    port.sharing = entry.sharing;
    port.traffic = look.sample.ports.at(entry.node_port);
    if (entry.vacant_until)
        port.waits_for = std::chrono::ceil<milliseconds>(*entry.vacant_until - look.sample.at);

    std::vector<Candidate> candidates;
    for (const NodePortBackend& backend : entry.backends) {
        port.pods.push_back(report_pod(look, entry.node_port, backend));
        candidates.push_back(port.pods.back().candidate);
    }
    const std::vector<Choice> choices = choose(candidates, entry.sharing, look.sample.at);
    for (std::size_t i = 0; i < choices.size(); i++)
        port.pods[i].choice = choices[i];
    return port;
}

/// A vacant entry whose time is over is no node port any more: packets to it go to the host.
std::vector<NodePortEntry> entries_in_force(const Bindings& bindings, Instant now)
{
    std::vector<NodePortEntry> entries = bindings.node_ports();
    std::erase_if(entries,
                  [&](const NodePortEntry& entry) { return entry.vacant_until && *entry.vacant_until <= now; });
    return entries;
}

}  // namespace

TrafficSample take_sample(const Datapath& datapath)
{
    TrafficSample sample{std::chrono::steady_clock::now(), {}};
    for (const NodePortEntry& entry : datapath.bindings().node_ports())
        sample.ports[entry.node_port] = datapath.traffic(entry.node_port);
    return sample;
}

NodeReport report_node(const Datapath& datapath, const std::optional<TrafficSample>& before)
{
    NodeReport report;
    report.devices = datapath.devices();
    report.answered = datapath.addresses();
    report.drops = datapath.drops();
    report.flows = datapath.count_flows();
    report.sample.at = std::chrono::steady_clock::now();

    Look look{datapath, report.flows, report.sample, {}, datapath.bindings().words(), {}};
    for (BoundPod& pod : datapath.bindings().pods())
        look.pods.emplace(pod.generation, std::move(pod));
    for (const NodePortEntry& entry : entries_in_force(datapath.bindings(), look.sample.at)) {
        report.sample.ports[entry.node_port] = datapath.traffic(entry.node_port);
        NodePortReport port = report_node_port(look, entry);
        if (entry.node_port.scope == Scope::pod) {
            for (PodReport& pod : port.pods)
                report.remaps.push_back({entry.node_port, std::move(pod), port.traffic});
            continue;
        }
        if (before && before->ports.contains(entry.node_port))
            port.rates = rates_between(before->ports.at(entry.node_port), port.traffic, report.sample.at - before->at);
        report.node_ports.push_back(std::move(port));
    }
    return report;
}

}  // namespace sallyport
