// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/records.hpp"

#include "sallyport/error.hpp"
#include "sallyport/wire.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace sallyport {

namespace {

/// BPF_F_CURRENT_NETNS: a remap's program runs in the pod's own namespace.
constexpr auto own_netns = static_cast<__u32>(-1);

template <std::size_t size>
void store_text(char (&field)[size], const std::string& text, const char* what)
{
    if (text.size() >= size)
        throw Error(Code::invalid_environment, std::string(what) + " \"" + text.substr(0, 40) +
                                                   "...\" is longer than the " + std::to_string(size - 1) +
                                                   " bytes that an owner record holds");
    text.copy(field, text.size());
}

Backend remapped_end(const Exposure& remap)
{
    return {remap.node_port.address, PodPort{number(remap.node_port.port)}, remap.node_port.protocol};
}

abi::be16 listener_of(const Exposure& exposure, const Listeners& listeners)
{
    Backend listener = exposure.backend;
    listener.port = listeners.of(exposure.backend);
    return to_wire(listener).port;
}

}  // namespace

Listeners::Listeners(const std::vector<Exposure>& exposures)
{
    for (const Exposure& exposure : exposures)
        if (exposure.node_port.scope == Scope::pod)
            remapped_.emplace(remapped_end(exposure), exposure.backend.port);
}

PodPort Listeners::of(const Backend& backend) const
{
    const auto remap = remapped_.find(backend);
    return remap == remapped_.end() ? backend.port : remap->second;
}

abi::pod owner_record(const Binding& binding, std::uint64_t generation)
{
    abi::pod record{};
    record.id = generation;
    const auto made_at = binding.pod.made_at.value_or(std::chrono::system_clock::now().time_since_epoch());
    record.made_at = static_cast<__u64>(std::max<std::int64_t>(0, made_at.count()));
    record.netns_device = binding.netns_identity.device;
    record.netns_inode = binding.netns_identity.inode;
    record.netns = binding.netns_id;
    record.exposures = static_cast<__u32>(binding.exposures.size());
    record.share = binding.sharing.share == Share::spread ? abi::SHARE_SPREAD : abi::SHARE_NEWEST;
    record.settle_ms = static_cast<__u32>(binding.sharing.settle.count());
    record.hold_ms = static_cast<__u32>(binding.sharing.hold.count());
    record.host_device = static_cast<__u32>(binding.host_device);
    record.fast = binding.fast ? 1 : 0;
    store_text(record.netns_path, binding.pod.netns, "the namespace's path");
    store_text(record.network, binding.pod.network, "the network's name");
    store_text(record.pod_namespace, binding.pod.pod_namespace, "the pod's namespace");
    store_text(record.pod_name, binding.pod.pod_name, "the pod's name");
    if (binding.pod.pod_uid.size() < sizeof record.pod_uid)  // else it is none that Kubernetes gives
        store_text(record.pod_uid, binding.pod.pod_uid, "the pod's uid");
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
    pod.pod_uid = record.pod_uid;
    pod.netns = record.netns_path;
    pod.netns_identity = {record.netns_device, record.netns_inode};
    pod.netns_id = record.netns;
    pod.uplink = record.fast != 0 ? static_cast<int>(record.host_device) : 0;
    return pod;
}

abi::pod_exposure_key exposure_key(std::uint64_t generation, __u32 index)
{
    abi::pod_exposure_key key{};
    key.pod = generation;
    key.index = index;
    return key;
}

std::set<Address> addresses_of(const std::vector<Exposure>& exposures)
{
    std::set<Address> addresses;
    for (const Exposure& exposure : exposures)
        addresses.insert(exposure.backend.address);
    return addresses;
}

abi::pod_exposure exposure_record(const Exposure& exposure)
{
    return {to_wire(exposure.node_port), to_wire(exposure.backend)};
}

Exposure exposure_from(const abi::pod_exposure& record)
{
    return {node_port_from_wire(record.node_port), backend_from_wire(record.backend)};
}

abi::backend backend_record(const Exposure& exposure, const abi::pod& pod, const Listeners& listeners)
{
    abi::backend backend{};
    backend.pod = pod.id;
    backend.netns = pod.netns;
    backend.listener = listener_of(exposure, listeners);
    return backend;
}

abi::node_port_backend place_record(const Exposure& exposure, const abi::pod& pod, const Listeners& listeners)
{
    abi::node_port_backend place{};
    place.address = to_wire(exposure.backend.address);
    place.pod = pod.id;
    place.netns = exposure.node_port.scope == Scope::pod ? own_netns : pod.netns;
    place.host_device = exposure.node_port.scope == Scope::pod ? 0 : pod.host_device;
    place.fast = exposure.node_port.scope == Scope::pod ? 0 : static_cast<__u8>(pod.fast);
    place.port = to_wire(exposure.backend).port;
    place.listener = listener_of(exposure, listeners);
    place.settle_ms = static_cast<__u16>(pod.settle_ms);
    place.hold_ms = static_cast<__u16>(pod.hold_ms);
    place.share = static_cast<__u8>(pod.share);
    return place;
}

Seen seen_from(const abi::backend& backend, Instant now)
{
    const auto moment = [](__u64 ns) { return ns == 0 ? std::nullopt : std::optional(instant_from(ns)); };
    Seen seen{moment(backend.listening_since), moment(backend.answering_since), moment(backend.answered_at),
              moment(backend.refused_at), std::nullopt};
    if (backend.unanswered >= SILENT_ASKS && monotonic_ns(now) > backend.unanswered_since + SILENT_AFTER)
        seen.silent_since = moment(backend.unanswered_since);
    return seen;
}

abi::pod_word word_record(const Word& word, Instant now)
{
    abi::pod_word record{};
    record.told_at = monotonic_ns(now);
    record.since = word.since ? monotonic_ns(*word.since) : 0;
    record.readiness = word.readiness == Readiness::ready       ? abi::READY
                       : word.readiness == Readiness::not_ready ? abi::NOT_READY
                                                                : abi::READY_UNKNOWN;
    record.ending = word.ending ? 1 : 0;
    word.reason.copy(record.reason, sizeof record.reason - 1);
    return record;
}

std::optional<Word> word_from(const abi::pod_word& record, Instant now)
{
    if (monotonic_ns(now) > record.told_at + WORD_LASTS)
        return std::nullopt;
    Word word;
    word.readiness = record.readiness == abi::READY       ? Readiness::ready
                     : record.readiness == abi::NOT_READY ? Readiness::not_ready
                                                          : Readiness::unknown;
    word.ending = record.ending != 0;
    if (record.since != 0)
        word.since = instant_from(record.since);
    word.reason = record.reason;
    return word;
}

bool is_live(const abi::flow& record)
{
    constexpr __u16 both_fins = abi::FLOW_CLIENT_FIN | abi::FLOW_SERVER_FIN;
    return (record.state & (abi::FLOW_RESET | abi::FLOW_DIRECT)) == 0 && (record.state & both_fins) != both_fins;
}

Flow flow_from(const abi::flow_key& key, const abi::flow& record, bool established)
{
    abi::endpoint asked{};
    asked.address = record.node_address;
    asked.port = record.node_port;
    asked.protocol = key.protocol;
    asked.scope = (record.state & abi::FLOW_AT_POD) != 0 ? abi::AT_POD : abi::AT_NODE;
    abi::endpoint backend{};
    backend.address = key.backend;
    backend.port = key.backend_port;
    backend.protocol = key.protocol;

    Flow flow;
    flow.established = established;
    flow.closing = (record.state & (abi::FLOW_CLIENT_FIN | abi::FLOW_SERVER_FIN)) != 0;
    flow.client = from_wire(key.client);
    flow.client_port = ntohs(record.client_port);
    flow.shown_port = ntohs(key.client_port);
    flow.asked = node_port_from_wire(asked);
    flow.node_port = flow.asked;
    if ((record.state & abi::FLOW_VIA_ANY) != 0)
        flow.node_port.address = flow.asked.address.is_v4() ? Address::any_v4() : Address::any_v6();
    flow.backend = backend_from_wire(backend);
    flow.generation = record.pod;
    flow.last_seen = instant_from(record.last_seen);
    return flow;
}

std::span<abi::node_port_backend> places(abi::node_port& node_port)
{
    return {node_port.backends, std::min<std::size_t>(node_port.count, abi::MAX_BACKENDS)};
}

std::span<const abi::node_port_backend> places(const abi::node_port& node_port)
{
    return {node_port.backends, std::min<std::size_t>(node_port.count, abi::MAX_BACKENDS)};
}

bool has_pod(const abi::node_port& node_port, std::uint64_t generation)
{
    const auto held = places(node_port);
    return std::any_of(held.begin(), held.end(), [&](const auto& place) { return place.pod == generation; });
}

Sharing sharing_of(const abi::node_port_backend& place)
{
    return {place.share == abi::SHARE_SPREAD ? Share::spread : Share::newest,
            std::chrono::milliseconds(place.settle_ms), std::chrono::milliseconds(place.hold_ms)};
}

Instant instant_from(__u64 monotonic_ns)
{
    return Instant(std::chrono::nanoseconds(monotonic_ns));
}

__u64 monotonic_ns(Instant instant)
{
    return static_cast<__u64>(std::chrono::nanoseconds(instant.time_since_epoch()).count());
}

}  // namespace sallyport
