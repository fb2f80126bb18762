// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pod holds which node ports: the bookkeeping over the tables. Every entry names its owner. An owner record is
// written before anything else of its pod and removed after everything else, and node ports are written last and
// removed first; so whoever is killed in between leaves what is complete, harmless, and found by the next unbind().
//
// Whoever changes bindings holds the lock (FileLock). Nothing here attaches programs or looks at devices.
#pragma once

#include "sallyport/attachment.hpp"
#include "sallyport/exposure.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/policy.hpp"
#include "sallyport/table.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
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
    std::string netns;  ///< path
    NetnsIdentity netns_identity;
    std::uint32_t netns_id = 0;

    std::string pod() const;  ///< `namespace/name`, or the container's id
};

/// One pod behind a node port.
struct NodePortBackend
{
    std::uint64_t generation = 0;
    std::uint32_t netns_id = 0;
    Backend backend;
};

struct NodePortEntry
{
    NodePort node_port;
    Share share = Share::newest;
    std::vector<NodePortBackend> backends;  ///< youngest first
};

/// What bind() needs beside the exposures.
struct Binding
{
    Attachment pod;
    NetnsIdentity netns_identity;
    std::uint32_t netns_id = 0;
    Share share = Share::newest;
    std::vector<Exposure> exposures;
};

class Bindings
{
public:
    explicit Bindings(BindingTables tables) : tables_(tables) {}

    /// Replaces whatever the attachment held. Throws Error: port_taken where a node port has its MAX_BACKENDS pods
    /// already, invalid_environment where a name is too long for the record; nothing is changed then.
    void bind(const Binding& binding);

    /// Removes everything that the attachment holds; false if it held nothing. Goes on past failures and then throws
    /// one Error that lists them.
    bool unbind(const AttachmentId& id);

    /// Makes the tables agree again after one was lost: what has no whole owner record goes, what an owner record lists
    /// and is missing comes back.
    void repair();

    bool knows(const AttachmentId& id) const;  ///< is there an owner record?

    std::vector<BoundPod> pods() const;
    std::vector<NodePortEntry> node_ports() const;
    std::vector<Exposure> exposures_of(const AttachmentId& id) const;

    /// Is every exposure of the attachment in force: its backend and its place at the node port? Returns what is
    /// missing, in words.
    std::vector<std::string> missing_of(const AttachmentId& id) const;

    /// What pods of other namespaces hold. Costs what they hold: nothing where all gateways are in one namespace.
    std::vector<Holder> holders_outside(const std::string& pod_namespace) const;

private:
    std::optional<abi::pod> find_pod(const AttachmentId& id) const;
    void write(const abi::pod_key& key, const abi::pod& record, const Binding& binding);
    std::vector<abi::pod_exposure> listed_exposures(const abi::pod& record) const;
    void claim(const abi::pod_exposure& exposure, const abi::pod& record);
    void release(const abi::endpoint& node_port, const std::function<bool(const abi::node_port_backend&)>& goes);

    BindingTables tables_;
};

}  // namespace sallyport
