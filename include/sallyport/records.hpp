// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is in the tables, made from values and read back. Touches no table.
#pragma once

#include "sallyport/abi.h"
#include "sallyport/bindings.hpp"
#include "sallyport/events.hpp"
#include "sallyport/flow.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace sallyport {

/// Where a pod's sockets really listen: what arrives at a port that the pod remaps ends at the remap's container port.
class Listeners
{
public:
    explicit Listeners(const std::vector<Exposure>& exposures);

    PodPort of(const Backend& backend) const;

private:
    std::map<Backend, PodPort> remapped_;
};

/// Throws Error(invalid_environment) where a name is too long for the record.
abi::pod owner_record(const Binding& binding, std::uint64_t generation);
BoundPod bound_pod(const abi::pod_key& key, const abi::pod& record);

abi::pod_exposure exposure_record(const Exposure& exposure);
Exposure exposure_from(const abi::pod_exposure& record);

abi::backend backend_record(const Exposure& exposure, const abi::pod& pod, const Listeners& listeners);

/// The key of the one entry of `meta`.
inline constexpr __u32 the_meta = 0;

/// The key of the exposure number `index` of a pod.
abi::pod_exposure_key exposure_key(std::uint64_t generation, __u32 index);

/// The addresses that the pod has, by what it exposes and remaps.
std::set<Address> addresses_of(const std::vector<Exposure>& exposures);

/// The pod's place at the exposure's node port.
abi::node_port_backend place_record(const Exposure& exposure, const abi::pod& pod, const Listeners& listeners);

Seen seen_from(const abi::backend& backend, Instant now);

/// As told now.
abi::pod_word word_record(const Word& word, Instant now);

/// nullopt where it doesn't count any more.
std::optional<Word> word_from(const abi::pod_word& record, Instant now);

abi::event binding_event(abi::event_kind kind, const abi::pod& pod, const Exposure& exposure);

/// What Kubernetes says now.
abi::event word_event(const abi::pod& pod, const abi::pod_word& word);

/// Names that are too long lose their ends.
abi::event rejection_event(std::string_view pod_namespace, std::string_view pod_name, Code code);

Event event_from(const abi::event& record);

/// enum drop, as metrics and events name it.
std::string_view name_of_drop(__u32 reason);

/// Does it translate, and is it not closed yet? Whether its pod is still there is another question.
bool is_live(const abi::flow& record);
Flow flow_from(const abi::flow_key& key, const abi::flow& record, bool established);

/// The places taken at a node port, youngest first.
std::span<abi::node_port_backend> places(abi::node_port& node_port);
std::span<const abi::node_port_backend> places(const abi::node_port& node_port);

bool has_pod(const abi::node_port& node_port, std::uint64_t generation);

Sharing sharing_of(const abi::node_port_backend& place);

Instant instant_from(__u64 monotonic_ns);
__u64 monotonic_ns(Instant instant);

}  // namespace sallyport
