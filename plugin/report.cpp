// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/report.hpp"

#include <algorithm>
#include <thread>

namespace sallyport {

namespace {

PodReport report_pod(const Datapath& datapath, const NodePortBackend& backend,
                     const std::map<std::uint64_t, BoundPod>& pods, const FlowCount& flows, const NodePort& node_port)
{
    PodReport report;
    report.backend = backend.backend;
    report.listening = datapath.listens(backend.backend, backend.netns_id);
    if (const auto pod = pods.find(backend.generation); pod != pods.end()) {
        report.pod_namespace = pod->second.pod_namespace;
        report.pod = pod->second.pod_name.empty() ? pod->second.id.container_id : pod->second.pod_name;
        report.container_id = pod->second.id.container_id;
    }
    if (const auto count = flows.by_exposure.find({backend.generation, node_port}); count != flows.by_exposure.end())
        report.flows = count->second;
    return report;
}

/// What bpf/select.h would choose, and why. `pods` is youngest first.
void explain(std::vector<PodReport>& pods, Share share)
{
    bool younger_listens = false;
    for (PodReport& pod : pods) {
        pod.takes_new = pod.listening && (share == Share::spread || !younger_listens);
        if (!pod.listening)
            pod.why = "nothing listens on " + pod.backend.to_string();
        else if (share == Share::spread)
            pod.why = "listens; takes its share of the clients";
        else
            pod.why = younger_listens ? "a younger pod listens" : "youngest that listens";
        younger_listens = younger_listens || pod.listening;
    }
}

Rates rates_between(const Traffic& before, const Traffic& after, std::chrono::milliseconds interval)
{
    const double seconds = std::chrono::duration<double>(interval).count();
    const auto rate = [&](std::uint64_t from, std::uint64_t to) {
        return to > from ? static_cast<double>(to - from) / seconds : 0;
    };
    return {rate(before.connections, after.connections), rate(before.bytes_from_client, after.bytes_from_client),
            rate(before.bytes_from_pod, after.bytes_from_pod)};
}

}  // namespace

NodeReport report_node(const Datapath& datapath, std::chrono::milliseconds interval)
{
    NodeReport report;
    report.devices = datapath.devices();
    report.addresses = datapath.addresses();
    report.drops = datapath.drops();
    report.flows = datapath.count_flows();

    std::map<std::uint64_t, BoundPod> pods;
    for (BoundPod& pod : datapath.bindings().pods())
        pods.emplace(pod.generation, std::move(pod));

    const auto entries = datapath.bindings().node_ports();
    std::vector<Traffic> before;
    for (const NodePortEntry& entry : entries)
        before.push_back(datapath.traffic(entry.node_port));
    std::this_thread::sleep_for(interval);

    for (std::size_t i = 0; i < entries.size(); i++) {
        NodePortReport port{
            entries[i].node_port, entries[i].sharing.share, {}, datapath.traffic(entries[i].node_port), {}};
        port.rates = rates_between(before[i], port.traffic, interval);
        for (const NodePortBackend& backend : entries[i].backends)
            port.pods.push_back(report_pod(datapath, backend, pods, report.flows, entries[i].node_port));
        explain(port.pods, port.share);
        report.node_ports.push_back(std::move(port));
    }
    return report;
}

}  // namespace sallyport
