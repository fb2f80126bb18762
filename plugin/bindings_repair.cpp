// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tables that don't agree, as one of them was lost, made to agree again.
#include "sallyport/bindings.hpp"

#include "bindings_ages.hpp"

#include "sallyport/failures.hpp"
#include "sallyport/records.hpp"
#include "sallyport/wire.hpp"

#include <algorithm>

namespace sallyport {

void Bindings::repair()
{
    const std::map<std::uint64_t, abi::pod> whole = drop_ownerless();
    const auto entries = tables_.node_ports.all();
    for (const auto& [key, traffic] : tables_.traffic.all())
        if (!tables_.node_ports.find(key))
            tables_.traffic.erase(key);
    if (whole.empty() && entries.empty())
        return;  // a node without gateways doesn't pay for reading all of port_uses

    std::set<PortUse> uses;
    for (const auto& [key, entry] : entries)
        uses.insert(use_of(node_port_from_wire(key)));
    for (const auto& [generation, record] : whole)
        for (const Exposure& exposure : listed_exposures(record)) {
            uses.insert(use_of(exposure.node_port));
            uses.insert(use_of(exposure.backend));
        }
    uses_.replace_all(uses);
    for (const auto& [generation, record] : whole)
        restore(record);
}

/// Removes what has no whole owner record; returns those that are whole, oldest first.
std::map<std::uint64_t, abi::pod> Bindings::drop_ownerless()
{
    abi::meta known = meta();
    known.waiting = 1;  // forget_expired() will find out
    std::map<std::uint64_t, abi::pod> whole;
    for (const auto& [key, record] : tables_.pods.all()) {
        known.last_pod = std::max(known.last_pod, record.id);
        if (listed_exposures(record).size() == record.exposures)
            whole.emplace(record.id, record);
        else
            tables_.pods.erase(key);
    }
    tables_.meta.put(the_meta, known);

    for (const auto& [key, exposure] : tables_.pod_exposures.all())
        if (!whole.contains(key.pod))
            tables_.pod_exposures.erase(key);
    for (const auto& [key, backend] : tables_.backends.all())
        if (!whole.contains(backend.pod))
            tables_.backends.erase(key);
    for (const auto& [address, generation] : tables_.pod_addresses.all())
        if (!whole.contains(generation))
            tables_.pod_addresses.erase(address);
    for (const auto& [generation, word] : tables_.words.all())
        if (!whole.contains(generation))
            tables_.words.erase(generation);
    std::vector<NodePort> over;
    for (const auto& [key, entry] : tables_.node_ports.all())
        if (release(node_port_from_wire(key), Departure::undone,
                    [&](const auto& place) { return !whole.contains(place.pod); }))
            over.push_back(node_port_from_wire(key));
    Failures failures;
    end(over, failures);
    failures.raise("remove node ports without a pod");
    return whole;
}

/// What the pod has already stays as it is: it may have been listening for a while.
void Bindings::restore(const abi::pod& record)
{
    const std::vector<Exposure> exposures = listed_exposures(record);
    const Listeners listeners(exposures);
    Ages ages(tables_.pods);
    for (const Address& address : addresses_of(exposures))
        if (tables_.pod_addresses.find(to_wire(address)).value_or(0) < record.id)
            tables_.pod_addresses.put(to_wire(address), record.id);
    for (const Exposure& exposure : exposures) {
        const auto backend = tables_.backends.find(to_wire(exposure.backend));
        if (!backend || backend->pod < record.id)
            tables_.backends.put(to_wire(exposure.backend), backend_record(exposure, record, listeners));
        const auto entry = tables_.node_ports.find(to_wire(exposure.node_port));
        if (!entry || !has_pod(*entry, record.id))
            claim(exposure.node_port, place_record(exposure, record, listeners), ages);
        else if (!tables_.traffic.find(to_wire(exposure.node_port)))
            tables_.traffic.put(to_wire(exposure.node_port), {});
    }
}

}  // namespace sallyport
