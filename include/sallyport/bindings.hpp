// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pod holds which node ports: the bookkeeping over the tables. Every entry names its owner. An owner record is
// written before anything else of its pod and removed after everything else, and node ports are written last and
// removed first; so whoever is killed in between leaves what is complete, harmless, and found by the next unbind().
// A node port without pods, which waits for its next one, has no owner: forget_expired() finds it.
//
// Whoever changes bindings holds the lock (FileLock). Nothing here attaches programs or looks at devices.
#pragma once

#include "sallyport/attachment.hpp"
#include "sallyport/clock.hpp"
#include "sallyport/exposure.hpp"
#include "sallyport/failures.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/policy.hpp"
#include "sallyport/port_uses.hpp"
#include "sallyport/room.hpp"
#include "sallyport/table.hpp"
#include "sallyport/witness.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sallyport {

/// A pod's owner record, as found in the tables.
struct BoundPod
{
    AttachmentId id;
    std::uint64_t generation = 0;
    std::string network;
    std::string pod_namespace;
    std::string pod_name;
    std::string pod_uid;  ///< "": not known
    std::string netns;    ///< path
    NetnsIdentity netns_identity;
    std::uint32_t netns_id = 0;
    bool gone = false;  ///< its namespace ended, and nobody called DEL: whatever it holds, it is nobody
    int uplink = 0;     ///< ifindex of the host's end of its device, with the fast path; else 0

    std::string pod() const;  ///< `namespace/name`, or the container's id
};

/// One pod behind a node port.
struct NodePortBackend
{
    std::uint64_t generation = 0;
    Backend backend;
    PodPort listener{};  ///< where its socket listens: another port where the pod remaps this one
    Seen seen{};
};

struct NodePortEntry
{
    NodePort node_port;
    Sharing sharing;                        ///< of the youngest pod; of the last one where there is none
    std::vector<NodePortBackend> backends;  ///< youngest first
    std::optional<Instant> vacant_until;    ///< no pod is left, and new connections wait for one; maybe over by now
};

/// What bind() needs beside the exposures.
struct Binding
{
    Attachment pod;
    NetnsIdentity netns_identity;
    std::uint32_t netns_id = 0;
    Sharing sharing;
    std::vector<Exposure> exposures;  ///< remaps among them
    int host_device = 0;              ///< ifindex of the host's end of the pod's device; 0 where it has none
    bool fast = false;                ///< the fast path: deliver to the host's end at once
};

/// Is told what was bound and unbound. Must not throw: that people can see it later is no condition for it.
using Teller = std::function<void(const abi::event&)>;

class Bindings
{
public:
    explicit Bindings(BindingTables tables, Clock now = std::chrono::steady_clock::now, Teller tell = {})
        : tables_(tables),
          uses_(tables.port_uses),
          now_(std::move(now)),
          tell_(std::move(tell))
    {}

    /// What the next bind() will be known by: for what must be there before it.
    std::uint64_t next_generation() const;

    /// Replaces whatever the attachment held. Throws Error: port_taken where a node port has its MAX_BACKENDS pods
    /// already, try_again_later where there is no room (room.hpp), invalid_environment where a name is too long for the
    /// record; nothing is changed then.
    void bind(const Binding& binding);

    /// Removes everything that the attachment holds; false if it held nothing. A node port whose last pod goes, and
    /// wanted `hold`, stays vacant for that long. Goes on past failures and then throws one Error that lists them.
    bool unbind(const AttachmentId& id);

    /// Writes down what Kubernetes says of pods, by generation; the datapath heeds it from then on. Forgets what it
    /// said of pods that aren't bound any more, and hears nothing of such. Needs no lock: nobody else writes there what
    /// isn't so.
    void hear(const std::map<std::uint64_t, Word>& words);

    /// Ends the vacant node ports whose time is over.
    void forget_expired();

    /// Is there any for forget_expired() to end?
    bool any_expired() const;

    /// Did any pod end without DEL?
    bool any_gone() const;

    /// Whose this address was last, as far as bound pods go.
    std::optional<BoundPod> last_holder_of(const Address& address) const;

    /// Makes the tables agree again after one was lost: what has no whole owner record goes, what an owner record lists
    /// and is missing comes back.
    void repair();

    bool knows(const AttachmentId& id) const;  ///< is there an owner record?

    std::vector<BoundPod> pods() const;
    std::map<std::uint64_t, Word> words() const;    ///< of bound pods, by generation; those alone that still count
    std::vector<NodePortEntry> node_ports() const;  ///< remapped ports of pods (Scope::pod) among them
    std::vector<Exposure> exposures_of(const AttachmentId& id) const;

    /// Is every exposure of the attachment in force: its backend and its place at the node port? Returns what is
    /// missing, in words.
    std::vector<std::string> missing_of(const AttachmentId& id) const;

    /// What pods of other namespaces hold of the node; those that are gone hold nothing. Costs what they hold: nothing
    /// where all gateways are in one namespace.
    std::vector<Holder> holders_outside(const std::string& pod_namespace) const;
    std::vector<Holder> holders_within(const std::string& pod_namespace) const;  ///< the same of this one's pods

private:
    /// How a pod's places end: `undone` is an ADD that failed, and leaves a node port as vacant as it was.
    enum class Departure { gone, undone };

    class Ages;

    std::vector<Holder> holders(const std::function<bool(const std::string& pod_namespace)>& counts) const;
    std::optional<abi::pod> find_pod(const AttachmentId& id) const;
    bool lives(std::uint64_t generation) const;
    std::vector<Exposure> listed_exposures(const abi::pod& record) const;
    abi::meta meta() const;
    void note_waiting(bool some_may);
    bool waits(const abi::node_port& entry) const;

    void refuse_full(const Binding& binding) const;
    std::vector<PodShare> shares_without(const AttachmentId& id) const;
    std::uint64_t after_all_at(const std::vector<Exposure>& exposures, Ages& ages) const;
    void write(const abi::pod_key& key, const abi::pod& record, const Binding& binding, Ages& ages);
    void claim(const NodePort& node_port, const abi::node_port_backend& place, Ages& ages);
    bool remove(const AttachmentId& id, Departure how);
    bool release(const NodePort& node_port, Departure how,
                 const std::function<bool(const abi::node_port_backend&)>& goes);
    void end(const std::vector<NodePort>& over, Failures& failures);
    std::set<PortUse> exact_uses() const;
    std::map<std::uint64_t, abi::pod> drop_ownerless();
    void restore(const abi::pod& record);
    void tell(abi::event_kind kind, const abi::pod& record, const std::vector<Exposure>& exposures) const;

    BindingTables tables_;
    PortUses uses_;
    Clock now_;
    Teller tell_;
};

/// Is a port of the node vacant in this table, and its time not over?
bool any_waits(const Table<abi::endpoint, abi::node_port>& node_ports, Instant now);

}  // namespace sallyport
