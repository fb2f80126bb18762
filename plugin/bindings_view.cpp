// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What bindings answer about the tables; bindings.cpp changes them.
#include "sallyport/bindings.hpp"

#include "sallyport/records.hpp"
#include "sallyport/wire.hpp"

#include <algorithm>

namespace sallyport {

namespace {

NodePortBackend backend_at(const abi::node_port_backend& place, const NodePort& node_port,
                           const Table<abi::endpoint, abi::backend>& backends, Instant now)
{
    abi::endpoint endpoint{};
    endpoint.address = place.address;
    endpoint.port = place.port;
    endpoint.protocol = static_cast<__u8>(node_port.protocol);
    const Backend backend = backend_from_wire(endpoint);
    endpoint.port = place.listener;
    NodePortBackend found{place.pod, backend, backend_from_wire(endpoint).port};
    if (const auto entry = backends.find(to_wire(backend)); entry && entry->pod == place.pod)
        found.seen = seen_from(*entry, now);
    return found;
}

}  // namespace

std::string BoundPod::pod() const
{
    return pod_name.empty() ? id.container_id : pod_namespace + "/" + pod_name;
}

bool Bindings::knows(const AttachmentId& id) const
{
    return find_pod(id).has_value();
}

std::vector<BoundPod> Bindings::pods() const
{
    std::vector<BoundPod> pods;
    for (const auto& [key, record] : tables_.pods.all()) {
        pods.push_back(bound_pod(key, record));
        pods.back().gone = !lives(record.id);
    }
    return pods;
}

std::vector<PodShare> Bindings::shares_without(const AttachmentId& id) const
{
    std::map<std::uint64_t, PodShare> shares;
    for (const BoundPod& pod : pods())
        if (pod.id != id)
            shares.emplace(pod.generation, PodShare{pod.pod_namespace, pod.pod()});
    for (const auto& [key, exposure] : tables_.pod_exposures.all())
        if (const auto share = shares.find(key.pod); share != shares.end())
            (exposure.node_port.scope == abi::AT_POD ? share->second.remaps : share->second.exposures)++;
    std::vector<PodShare> all;
    for (auto& [generation, share] : shares)
        all.push_back(std::move(share));
    return all;
}

bool Bindings::any_gone() const
{
    const auto records = tables_.pods.all();
    return std::any_of(records.begin(), records.end(), [this](const auto& item) { return !lives(item.second.id); });
}

std::optional<BoundPod> Bindings::last_holder_of(const Address& address) const
{
    const auto generation = tables_.pod_addresses.find(to_wire(address));
    if (!generation)
        return std::nullopt;
    for (BoundPod& pod : pods())
        if (pod.generation == *generation)
            return std::move(pod);
    return std::nullopt;
}

std::vector<NodePortEntry> Bindings::node_ports() const
{
    std::vector<NodePortEntry> entries;
    for (const auto& [key, value] : tables_.node_ports.all()) {
        NodePortEntry entry{node_port_from_wire(key), sharing_of(value.backends[0]), {}, std::nullopt};
        for (const abi::node_port_backend& place : places(value)) {
            entry.backends.push_back(backend_at(place, entry.node_port, tables_.backends, now_()));
            entry.backends.back().seen.gone = !lives(place.pod);
        }
        if (entry.backends.empty())
            entry.vacant_until = instant_from(value.vacant_until);
        entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(),
              [](const NodePortEntry& a, const NodePortEntry& b) { return a.node_port < b.node_port; });
    return entries;
}

std::vector<Exposure> Bindings::exposures_of(const AttachmentId& id) const
{
    const auto record = find_pod(id);
    return record ? listed_exposures(*record) : std::vector<Exposure>{};
}

std::vector<std::string> Bindings::missing_of(const AttachmentId& id) const
{
    const auto record = find_pod(id);
    if (!record)
        return {"the owner record"};

    std::vector<std::string> missing;
    for (const Exposure& exposure : listed_exposures(*record)) {
        const auto backend = tables_.backends.find(to_wire(exposure.backend));
        if (!backend || backend->pod != record->id || !uses_.has(use_of(exposure.backend)))
            missing.push_back("backend " + exposure.backend.to_string());
        const auto entry = tables_.node_ports.find(to_wire(exposure.node_port)).value_or(abi::node_port{});
        const auto held = places(entry);
        if (!uses_.has(use_of(exposure.node_port)) ||
            std::none_of(held.begin(), held.end(), [&](const auto& place) { return place.pod == record->id; }))
            missing.push_back((exposure.node_port.scope == Scope::pod ? "remapped port " : "node port ") +
                              exposure.node_port.to_string());
    }
    return missing;
}

std::vector<Holder> Bindings::holders_outside(const std::string& pod_namespace) const
{
    return holders([&](const std::string& other) { return other != pod_namespace; });
}

std::vector<Holder> Bindings::holders_within(const std::string& pod_namespace) const
{
    return holders([&](const std::string& other) { return other == pod_namespace; });
}

std::vector<Holder> Bindings::holders(const std::function<bool(const std::string& pod_namespace)>& counts) const
{
    std::vector<Holder> holders;
    for (const auto& [key, record] : tables_.pods.all()) {
        if (!counts(record.pod_namespace) || !lives(record.id))
            continue;
        const BoundPod pod = bound_pod(key, record);
        for (const Exposure& exposure : listed_exposures(record))
            if (exposure.node_port.scope == Scope::node)
                holders.push_back({exposure.node_port, pod.id, pod.pod_namespace, pod.pod(), pod.netns});
    }
    return holders;
}

bool any_waits(const Table<abi::endpoint, abi::node_port>& node_ports, Instant now)
{
    const auto entries = node_ports.all();
    return std::any_of(entries.begin(), entries.end(), [&](const auto& item) {
        return item.second.count == 0 && item.second.vacant_until > monotonic_ns(now);
    });
}

}  // namespace sallyport
