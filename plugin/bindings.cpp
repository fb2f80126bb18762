// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What changes the tables; bindings_view.cpp reads them, bindings_repair.cpp puts them right.
#include "sallyport/bindings.hpp"

#include "bindings_ages.hpp"

#include "sallyport/error.hpp"
#include "sallyport/records.hpp"
#include "sallyport/wire.hpp"

#include <algorithm>
#include <utility>

namespace sallyport {

namespace {

constexpr const char* full_port_advice =
    " pods already, the most that can share one; run fewer of them on this node. A rolling update with maxUnavailable "
    "0 can't end here: its new pod waits for an old one to go, which goes when the new one is ready; set "
    "maxUnavailable 1 and maxSurge 0, so that one goes first";

bool is_exact(const NodePort& node_port)
{
    return node_port.scope == Scope::node && !node_port.address.is_any();
}

}  // namespace

std::uint64_t Bindings::Ages::of(std::uint64_t generation)
{
    if (!made_at_) {
        made_at_.emplace();
        for (const auto& [key, record] : pods_.all())
            made_at_->emplace(record.id, record.made_at);
    }
    const auto known = made_at_->find(generation);
    return known == made_at_->end() ? 0 : known->second;
}

void Bindings::Ages::add(const abi::pod& record)
{
    if (made_at_)
        made_at_->emplace(record.id, record.made_at);
}

bool Bindings::Ages::is_younger(std::uint64_t one, std::uint64_t other)
{
    return std::pair(of(one), one) > std::pair(of(other), other);
}

std::uint64_t Bindings::next_generation() const
{
    return tables_.meta.find(the_meta).value_or(abi::meta{}).last_pod + 1;
}

void Bindings::bind(const Binding& binding)
{
    const auto key = to_wire(binding.pod.id);
    if (!key)
        throw Error(Code::invalid_environment, "container id \"" + binding.pod.id.container_id.substr(0, 40) +
                                                   "...\" is longer than an owner record holds");
    const std::uint64_t generation = meta().last_pod + 1;
    abi::pod record = owner_record(binding, generation);  // throws before anything is changed
    refuse_full(binding);
    if (const auto remaps = std::ranges::count(binding.exposures, Scope::pod,
                                               [](const Exposure& exposure) { return exposure.node_port.scope; });
        remaps > 0)
        refuse_without_room(binding.pod.pod_namespace, static_cast<std::size_t>(remaps),
                            shares_without(binding.pod.id));

    remove(binding.pod.id, Departure::undone);
    abi::meta given = meta();
    given.last_pod = generation;
    tables_.meta.put(the_meta, given);
    Ages ages(tables_.pods);
    if (!binding.pod.made_at)
        record.made_at = std::max<std::uint64_t>(record.made_at, after_all_at(binding.exposures, ages));
    try {
        write(*key, record, binding, ages);
    } catch (const Error& error) {
        remove(binding.pod.id, Departure::undone);
        if (error.code() != Code::try_again_later)
            throw;
        throw Error(error.code(), error.what() + ("; most is held by " + largest_of(shares_without(binding.pod.id))));
    }
    tell(abi::EVENT_BIND, record, binding.exposures);
}

void Bindings::tell(abi::event_kind kind, const abi::pod& record, const std::vector<Exposure>& exposures) const
{
    if (tell_)
        for (const Exposure& exposure : exposures)
            tell_(binding_event(kind, record, exposure));
}

void Bindings::refuse_full(const Binding& binding) const
{
    const auto mine = find_pod(binding.pod.id);
    for (const Exposure& exposure : binding.exposures) {
        const auto entry = tables_.node_ports.find(to_wire(exposure.node_port)).value_or(abi::node_port{});
        if (entry.count >= abi::MAX_BACKENDS && !(mine && has_pod(entry, mine->id)))
            throw Error(Code::port_taken, "node port " + exposure.node_port.to_string() + " has " +
                                              std::to_string(entry.count) + full_port_advice);
    }
}

/// The clock may have stepped back since they were made.
std::uint64_t Bindings::after_all_at(const std::vector<Exposure>& exposures, Ages& ages) const
{
    std::uint64_t after = 0;
    for (const Exposure& exposure : exposures) {
        const auto entry = tables_.node_ports.find(to_wire(exposure.node_port)).value_or(abi::node_port{});
        for (const abi::node_port_backend& place : places(entry))
            after = std::max(after, ages.of(place.pod) + 1);
    }
    return after;
}

void Bindings::write(const abi::pod_key& key, const abi::pod& record, const Binding& binding, Ages& ages)
{
    const Listeners listeners(binding.exposures);
    tables_.pods.put(key, record);
    ages.add(record);
    for (__u32 i = 0; i < record.exposures; i++)
        tables_.pod_exposures.put(exposure_key(record.id, i), exposure_record(binding.exposures[i]));
    for (const Address& address : addresses_of(binding.exposures))
        tables_.pod_addresses.put(to_wire(address), record.id);
    for (const Exposure& exposure : binding.exposures) {
        tables_.backends.put(to_wire(exposure.backend), backend_record(exposure, record, listeners));
        uses_.add(use_of(exposure.backend));
    }
    for (const Exposure& exposure : binding.exposures) {
        uses_.add(use_of(exposure.node_port));
        claim(exposure.node_port, place_record(exposure, record, listeners), ages);
    }
}

/// A vacant node port goes on with its counters. How long it waits stays noted, for the case that this ADD fails.
void Bindings::claim(const NodePort& node_port, const abi::node_port_backend& place, Ages& ages)
{
    const abi::endpoint key = to_wire(node_port);
    if (!tables_.traffic.find(key))
        tables_.traffic.put(key, {});

    abi::node_port entry = tables_.node_ports.find(key).value_or(abi::node_port{});
    if (entry.count >= abi::MAX_BACKENDS)
        return;  // bind() has refused already; in repair() the pod must go without
    entry.count++;
    const auto held = places(entry);
    const auto younger_end = std::find_if(held.begin(), held.end() - 1,
                                          [&](const auto& other) { return ages.is_younger(place.pod, other.pod); });
    std::move_backward(younger_end, held.end() - 1, held.end());
    *younger_end = place;
    tables_.node_ports.put(key, entry);
}

/// Takes the places away that go. True where no pod is left and none is waited for: the node port is over, and harmless
/// until end() removes it.
bool Bindings::release(const NodePort& node_port, Departure how,
                       const std::function<bool(const abi::node_port_backend&)>& goes)
{
    const abi::endpoint key = to_wire(node_port);
    const auto found = tables_.node_ports.find(key);
    if (!found)
        return true;  // a killed command may have left the rest of it

    abi::node_port entry = *found;
    const auto held = places(entry);
    const auto rest = std::remove_if(held.begin(), held.end(), goes);
    if (rest == held.end())
        return entry.count == 0 && !waits(entry);
    std::fill(rest, held.end(), abi::node_port_backend{});
    entry.count = static_cast<__u32>(rest - held.begin());
    if (entry.count == 0) {
        abi::node_port_backend& last = entry.backends[0];  // no pod's place any more, but `status` shows its wishes
        last.share = found->backends[0].share;
        last.settle_ms = found->backends[0].settle_ms;
        last.hold_ms = found->backends[0].hold_ms;
        const bool holds = node_port.scope == Scope::node && last.hold_ms > 0;
        if (how == Departure::gone)
            entry.vacant_until = holds ? monotonic_ns(now_() + std::chrono::milliseconds(last.hold_ms)) : 0;
        if (waits(entry))
            note_waiting(true);
    }
    tables_.node_ports.put(key, entry);
    return entry.count == 0 && !waits(entry);
}

abi::meta Bindings::meta() const
{
    return tables_.meta.find(the_meta).value_or(abi::meta{});
}

void Bindings::note_waiting(bool some_may)
{
    abi::meta noted = meta();
    noted.waiting = some_may ? 1 : 0;
    tables_.meta.put(the_meta, noted);
}

bool Bindings::waits(const abi::node_port& entry) const
{
    return entry.count == 0 && entry.vacant_until > monotonic_ns(now_());
}

/// The entry goes last: whoever is killed before leaves one that forget_expired() finds.
void Bindings::end(const std::vector<NodePort>& over, Failures& failures)
{
    std::optional<std::set<PortUse>> exact;  // nullopt: unknown, so their bits stay
    if (std::any_of(over.begin(), over.end(), is_exact))
        failures.attempt([&] { exact = exact_uses(); });
    for (const NodePort& node_port : over)
        failures.attempt([&] {
            const PortUse use = use_of(node_port);
            const bool shared = is_exact(node_port) && (!exact || exact->contains(use));
            tables_.traffic.erase(to_wire(node_port));
            if (node_port.scope == Scope::node && !shared)
                uses_.remove(use);
            tables_.node_ports.erase(to_wire(node_port));
        });
}

/// A bit for exact addresses is shared by all of the port's: these are in use.
std::set<PortUse> Bindings::exact_uses() const
{
    std::set<PortUse> uses;
    for (const auto& [key, entry] : tables_.node_ports.all())
        if (const NodePort node_port = node_port_from_wire(key);
            is_exact(node_port) && (entry.count > 0 || waits(entry)))
            uses.insert(use_of(node_port));
    return uses;
}

bool Bindings::unbind(const AttachmentId& id)
{
    return remove(id, Departure::gone);
}

bool Bindings::remove(const AttachmentId& id, Departure how)
{
    const auto record = find_pod(id);
    if (!record)
        return false;

    Failures failures;
    std::vector<Exposure> exposures;
    for (__u32 i = 0; i < record->exposures; i++)
        failures.attempt([&] {
            if (const auto exposure = tables_.pod_exposures.find(exposure_key(record->id, i)))
                exposures.push_back(exposure_from(*exposure));
        });
    std::vector<NodePort> over;
    for (const Exposure& exposure : exposures)
        failures.attempt([&] {
            if (release(exposure.node_port, how, [&](const auto& place) { return place.pod == record->id; }))
                over.push_back(exposure.node_port);
        });
    end(over, failures);
    for (const Exposure& exposure : exposures)
        failures.attempt([&] {
            const auto backend = tables_.backends.find(to_wire(exposure.backend));
            if (backend && backend->pod == record->id)
                tables_.backends.erase(to_wire(exposure.backend));
        });
    for (const Address& address : addresses_of(exposures))
        failures.attempt([&] {
            if (tables_.pod_addresses.find(to_wire(address)) == record->id)
                tables_.pod_addresses.erase(to_wire(address));
        });
    for (__u32 i = 0; i < record->exposures; i++)
        failures.attempt([&] { tables_.pod_exposures.erase(exposure_key(record->id, i)); });
    failures.attempt([&] { tables_.living.erase(abi::living_key(record->id)); });
    failures.attempt([&] { tables_.words.erase(record->id); });
    if (failures.empty())
        failures.attempt([&] { tables_.pods.erase(*to_wire(id)); });
    if (how == Departure::gone)
        tell(abi::EVENT_UNBIND, *record, exposures);
    failures.raise("remove what container " + id.container_id + " held");
    return true;
}

void Bindings::forget_expired()
{
    if (meta().waiting == 0)
        return;  // or each ADD would read all node ports, and take the longer the more there are
    std::vector<NodePort> over;
    bool some_wait = false;
    for (const auto& [key, entry] : tables_.node_ports.all()) {
        if (entry.count == 0 && !waits(entry))
            over.push_back(node_port_from_wire(key));
        some_wait = some_wait || waits(entry);
    }
    Failures failures;
    end(over, failures);
    failures.raise("remove node ports that waited for a pod");
    if (!some_wait)
        note_waiting(false);
}

bool Bindings::any_expired() const
{
    if (meta().waiting == 0)
        return false;
    const auto entries = tables_.node_ports.all();
    return std::any_of(entries.begin(), entries.end(),
                       [&](const auto& item) { return item.second.count == 0 && !waits(item.second); });
}

std::vector<Exposure> Bindings::listed_exposures(const abi::pod& record) const
{
    std::vector<Exposure> exposures;
    for (__u32 i = 0; i < record.exposures; i++)
        if (const auto exposure = tables_.pod_exposures.find(exposure_key(record.id, i)))
            exposures.push_back(exposure_from(*exposure));
    return exposures;
}

std::optional<abi::pod> Bindings::find_pod(const AttachmentId& id) const
{
    const auto key = to_wire(id);
    return key ? tables_.pods.find(*key) : std::nullopt;
}

bool Bindings::lives(std::uint64_t generation) const
{
    return tables_.living.find(abi::living_key(generation)).has_value();
}

}  // namespace sallyport
