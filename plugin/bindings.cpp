// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/bindings.hpp"

#include "sallyport/error.hpp"
#include "sallyport/wire.hpp"

#include <algorithm>
#include <map>
#include <span>

namespace sallyport {

namespace {

constexpr __u32 the_meta = 0;

template <std::size_t size>
void store_text(char (&field)[size], const std::string& text, const char* what)
{
    if (text.size() >= size)
        throw Error(Code::invalid_environment, std::string(what) + " \"" + text.substr(0, 40) +
                                                   "...\" is longer than the " + std::to_string(size - 1) +
                                                   " bytes that an owner record holds");
    text.copy(field, text.size());
}

abi::pod owner_record(const Binding& binding, std::uint64_t generation)
{
    abi::pod record{};
    record.id = generation;
    record.netns_device = binding.netns_identity.device;
    record.netns_inode = binding.netns_identity.inode;
    record.netns = binding.netns_id;
    record.exposures = static_cast<__u32>(binding.exposures.size());
    record.share = binding.share == Share::spread ? abi::SHARE_SPREAD : abi::SHARE_NEWEST;
    store_text(record.netns_path, binding.pod.netns, "the namespace's path");
    store_text(record.network, binding.pod.network, "the network's name");
    store_text(record.pod_namespace, binding.pod.pod_namespace, "the pod's namespace");
    store_text(record.pod_name, binding.pod.pod_name, "the pod's name");
    return record;
}

BoundPod bound_pod(const abi::pod_key& key, const abi::pod& record)
{
    BoundPod pod;
    pod.id = from_wire(key);
    pod.generation = record.id;
    pod.network = record.network;
    pod.pod_namespace = record.pod_namespace;
    pod.pod_name = record.pod_name;
    pod.netns = record.netns_path;
    pod.netns_identity = {record.netns_device, record.netns_inode};
    pod.netns_id = record.netns;
    return pod;
}

abi::pod_exposure_key exposure_key(std::uint64_t generation, __u32 index)
{
    abi::pod_exposure_key key{};
    key.pod = generation;
    key.index = index;
    return key;
}

abi::backend backend_entry(const abi::pod_exposure& exposure, const abi::pod& record)
{
    abi::backend backend{};
    backend.pod = record.id;
    backend.netns = record.netns;
    backend.listener = exposure.backend.port;
    return backend;
}

abi::node_port_backend place_of(const abi::pod_exposure& exposure, const abi::pod& record)
{
    abi::node_port_backend place{};
    place.address = exposure.backend.address;
    place.pod = record.id;
    place.netns = record.netns;
    place.port = exposure.backend.port;
    place.listener = exposure.backend.port;
    place.share = static_cast<__u8>(record.share);
    return place;
}

std::span<abi::node_port_backend> places(abi::node_port& node_port)
{
    return {node_port.backends, std::min<std::size_t>(node_port.count, abi::MAX_BACKENDS)};
}

/// Runs the step; what it throws is noted, and the teardown goes on.
template <typename Step>
void attempt(std::vector<std::string>& failures, Step&& step)
{
    try {
        step();
    } catch (const Error& error) {
        failures.emplace_back(error.what());
    }
}

}  // namespace

std::string BoundPod::pod() const
{
    return pod_name.empty() ? id.container_id : pod_namespace + "/" + pod_name;
}

void Bindings::bind(const Binding& binding)
{
    const auto key = to_wire(binding.pod.id);
    if (!key)
        throw Error(Code::invalid_environment, "container id \"" + binding.pod.id.container_id.substr(0, 40) +
                                                   "...\" is longer than an owner record holds");
    abi::meta meta = tables_.meta.find(the_meta).value_or(abi::meta{});
    const std::uint64_t generation = meta.last_pod + 1;
    const abi::pod record = owner_record(binding, generation);  // throws before anything is changed

    const auto mine = find_pod(binding.pod.id);
    for (const Exposure& exposure : binding.exposures) {
        auto taken = tables_.node_ports.find(to_wire(exposure.node_port)).value_or(abi::node_port{});
        const auto held = places(taken);
        const bool replaces =
            std::any_of(held.begin(), held.end(), [&](const auto& place) { return mine && place.pod == mine->id; });
        if (taken.count >= abi::MAX_BACKENDS && !replaces)
            throw Error(Code::port_taken, "node port " + exposure.node_port.to_string() + " has " +
                                              std::to_string(taken.count) +
                                              " pods already, the most that can share one; remove some of them first");
    }

    unbind(binding.pod.id);
    meta.last_pod = generation;
    tables_.meta.put(the_meta, meta);
    try {
        write(*key, record, binding);
    } catch (const Error&) {
        unbind(binding.pod.id);
        throw;
    }
}

void Bindings::write(const abi::pod_key& key, const abi::pod& record, const Binding& binding)
{
    tables_.pods.put(key, record);
    for (__u32 i = 0; i < record.exposures; i++) {
        const Exposure& exposure = binding.exposures[i];
        tables_.pod_exposures.put(exposure_key(record.id, i), {to_wire(exposure.node_port), to_wire(exposure.backend)});
    }
    for (const Exposure& exposure : binding.exposures)
        tables_.backends.put(to_wire(exposure.backend),
                             backend_entry({to_wire(exposure.node_port), to_wire(exposure.backend)}, record));
    for (const Exposure& exposure : binding.exposures)
        claim({to_wire(exposure.node_port), to_wire(exposure.backend)}, record);
}

void Bindings::claim(const abi::pod_exposure& exposure, const abi::pod& record)
{
    if (!tables_.traffic.find(exposure.node_port))
        tables_.traffic.put(exposure.node_port, {});

    abi::node_port entry = tables_.node_ports.find(exposure.node_port).value_or(abi::node_port{});
    if (entry.count >= abi::MAX_BACKENDS)
        return;  // bind() has refused already; in repair() the pod must go without
    entry.count++;
    const auto held = places(entry);
    const auto younger_end =
        std::find_if(held.begin(), held.end() - 1, [&](const auto& place) { return place.pod < record.id; });
    std::move_backward(younger_end, held.end() - 1, held.end());
    *younger_end = place_of(exposure, record);
    tables_.node_ports.put(exposure.node_port, entry);
}

void Bindings::release(const abi::endpoint& node_port, const std::function<bool(const abi::node_port_backend&)>& goes)
{
    abi::node_port entry = tables_.node_ports.find(node_port).value_or(abi::node_port{});
    const auto held = places(entry);
    const auto rest = std::remove_if(held.begin(), held.end(), goes);
    const auto count = static_cast<__u32>(rest - held.begin());
    if (count == 0) {
        tables_.node_ports.erase(node_port);
        tables_.traffic.erase(node_port);  // also where a killed command left it alone
    } else if (count < entry.count) {
        std::fill(rest, held.end(), abi::node_port_backend{});
        entry.count = count;
        tables_.node_ports.put(node_port, entry);
    }
}

bool Bindings::unbind(const AttachmentId& id)
{
    const auto record = find_pod(id);
    if (!record)
        return false;

    std::vector<abi::pod_exposure> exposures;
    std::vector<std::string> failures;
    for (__u32 i = 0; i < record->exposures; i++)
        attempt(failures, [&] {
            if (const auto exposure = tables_.pod_exposures.find(exposure_key(record->id, i)))
                exposures.push_back(*exposure);
        });
    for (const abi::pod_exposure& exposure : exposures)
        attempt(failures,
                [&] { release(exposure.node_port, [&](const auto& place) { return place.pod == record->id; }); });
    for (const abi::pod_exposure& exposure : exposures)
        attempt(failures, [&] {
            const auto backend = tables_.backends.find(exposure.backend);
            if (backend && backend->pod == record->id)
                tables_.backends.erase(exposure.backend);
        });
    for (__u32 i = 0; i < record->exposures; i++)
        attempt(failures, [&] { tables_.pod_exposures.erase(exposure_key(record->id, i)); });
    if (failures.empty())
        attempt(failures, [&] { tables_.pods.erase(*to_wire(id)); });
    if (failures.empty())
        return true;

    std::string list;
    for (const std::string& failure : failures)
        list += (list.empty() ? "" : "; ") + failure;
    throw Error(Code::io_failure, "remove what container " + id.container_id + " held: " + list);
}

std::vector<abi::pod_exposure> Bindings::listed_exposures(const abi::pod& record) const
{
    std::vector<abi::pod_exposure> exposures;
    for (__u32 i = 0; i < record.exposures; i++)
        if (const auto exposure = tables_.pod_exposures.find(exposure_key(record.id, i)))
            exposures.push_back(*exposure);
    return exposures;
}

void Bindings::repair()
{
    abi::meta meta = tables_.meta.find(the_meta).value_or(abi::meta{});
    std::map<std::uint64_t, abi::pod> whole;  // oldest first
    for (const auto& [key, record] : tables_.pods.all()) {
        meta.last_pod = std::max(meta.last_pod, record.id);
        if (listed_exposures(record).size() == record.exposures)
            whole.emplace(record.id, record);
        else
            tables_.pods.erase(key);
    }
    tables_.meta.put(the_meta, meta);

    for (const auto& [key, exposure] : tables_.pod_exposures.all())
        if (!whole.contains(key.pod))
            tables_.pod_exposures.erase(key);
    for (const auto& [key, backend] : tables_.backends.all())
        if (!whole.contains(backend.pod))
            tables_.backends.erase(key);
    for (const auto& [key, entry] : tables_.node_ports.all())
        release(key, [&](const auto& place) { return !whole.contains(place.pod); });
    for (const auto& [generation, record] : whole)
        for (const abi::pod_exposure& exposure : listed_exposures(record)) {
            if (!tables_.backends.find(exposure.backend))
                tables_.backends.put(exposure.backend, backend_entry(exposure, record));
            release(exposure.node_port, [&](const auto& place) { return place.pod == record.id; });
            claim(exposure, record);
        }
}

std::optional<abi::pod> Bindings::find_pod(const AttachmentId& id) const
{
    const auto key = to_wire(id);
    return key ? tables_.pods.find(*key) : std::nullopt;
}

bool Bindings::knows(const AttachmentId& id) const
{
    return find_pod(id).has_value();
}

std::vector<BoundPod> Bindings::pods() const
{
    std::vector<BoundPod> pods;
    for (const auto& [key, record] : tables_.pods.all())
        pods.push_back(bound_pod(key, record));
    return pods;
}

std::vector<NodePortEntry> Bindings::node_ports() const
{
    std::vector<NodePortEntry> entries;
    for (auto& [key, value] : tables_.node_ports.all()) {
        NodePortEntry entry{
            node_port_from_wire(key), value.backends[0].share == abi::SHARE_SPREAD ? Share::spread : Share::newest, {}};
        abi::node_port copy = value;
        for (const abi::node_port_backend& place : places(copy)) {
            abi::endpoint endpoint{};
            endpoint.address = place.address;
            endpoint.port = place.port;
            endpoint.protocol = key.protocol;
            entry.backends.push_back({place.pod, place.netns, backend_from_wire(endpoint)});
        }
        entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(),
              [](const NodePortEntry& a, const NodePortEntry& b) { return a.node_port < b.node_port; });
    return entries;
}

std::vector<Exposure> Bindings::exposures_of(const AttachmentId& id) const
{
    std::vector<Exposure> exposures;
    const auto record = find_pod(id);
    if (record)
        for (const abi::pod_exposure& exposure : listed_exposures(*record))
            exposures.push_back({node_port_from_wire(exposure.node_port), backend_from_wire(exposure.backend)});
    return exposures;
}

std::vector<std::string> Bindings::missing_of(const AttachmentId& id) const
{
    const auto record = find_pod(id);
    if (!record)
        return {"the owner record"};

    std::vector<std::string> missing;
    for (const Exposure& exposure : exposures_of(id)) {
        const auto backend = tables_.backends.find(to_wire(exposure.backend));
        if (!backend || backend->pod != record->id)
            missing.push_back("backend " + exposure.backend.to_string());
        auto entry = tables_.node_ports.find(to_wire(exposure.node_port)).value_or(abi::node_port{});
        const auto held = places(entry);
        if (std::none_of(held.begin(), held.end(), [&](const auto& place) { return place.pod == record->id; }))
            missing.push_back("node port " + exposure.node_port.to_string());
    }
    return missing;
}

std::vector<Holder> Bindings::holders_outside(const std::string& pod_namespace) const
{
    std::vector<Holder> holders;
    for (const auto& [key, record] : tables_.pods.all()) {
        if (record.pod_namespace == pod_namespace)
            continue;
        const BoundPod pod = bound_pod(key, record);
        for (const abi::pod_exposure& exposure : listed_exposures(record))
            holders.push_back({node_port_from_wire(exposure.node_port), pod.id, pod.pod_namespace, pod.pod()});
    }
    return holders;
}

}  // namespace sallyport
