// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kubernetes as a witness: what the API server says of this node's pods, followed by a list and a watch. It is asked
// for pods and nothing else, and told of what happened to pods. Who decides what its word is worth, and for how long,
// is elsewhere.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/clock.hpp"
#include "sallyport/cni/request.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// Kubernetes' word on one pod. A new sandbox of the same pod changes nothing here but `addresses`.
struct PodWord
{
    std::string uid;
    std::string pod_namespace;
    std::string name;
    std::string static_uid;  ///< of a static pod: its uid on its node, the object here being its mirror; else ""
    std::vector<Address> addresses;  ///< its IPs; the node's where it has the host's network
    bool ready = false;              ///< the condition Ready
    std::string why_not_ready;       ///< that condition's reason, "ContainersNotReady" say; "" where it gives none
    bool over = false;               ///< succeeded or failed: runs no more
    /// When it was told to end, by the API server's clock.
    std::optional<std::chrono::system_clock::time_point> ending_since;

    bool operator==(const PodWord&) const = default;
};

using PodWords = std::map<std::string, PodWord>;  ///< by uid

/// What is known of the node's pods.
struct KubernetesView
{
    PodWords pods;
    bool complete = false;              ///< a whole list has arrived, once
    std::optional<Instant> lost_since;  ///< since when nobody tells us of changes; nullopt while somebody does
    std::string problem;                ///< a sentence for the operator: why nobody does, and what to do
};

/// How a pod reaches the API server of its cluster.
struct Cluster
{
    std::string host;                   ///< an IP address; names can't be looked up from a static executable
    std::uint16_t port = 0;             ///< host byte order
    std::string node;                   ///< this node's name there
    std::filesystem::path token;        ///< of the service account; kubelet writes a new one each hour
    std::filesystem::path authorities;  ///< the certificates that may sign the API server's, in PEM

    bool operator==(const Cluster&) const = default;
};

/// Something that happened to a pod, for whoever asks `kubectl describe pod`.
struct PodEvent
{
    std::string pod_namespace;
    std::string pod_name;
    std::string pod_uid;  ///< "": not known
    std::string reason;   ///< one word
    std::string message;  ///< a sentence
};

/// The name of the Event object: the same for the same message about the same pod, so that it can be told only once.
std::string name_of_event(const PodEvent& event);

/// The Event object, from that node.
std::string to_json(const PodEvent& event, const std::string& node, std::chrono::system_clock::time_point now);

/// Tells the API server. One that it was told before isn't told again; one of a namespace that is gone, or that the API
/// server takes for none, is lost.
/// Throws Error: try_again_later where it takes until then, or `stop` can be read (not owned); not_allowed where our
/// service account may not.
void post_event(const Cluster& cluster, const PodEvent& event, Instant until, int stop);

/// Where a pod's service account is, and the environment that kubelet gives it; `NODE_NAME` comes from the pod's own
/// manifest. nullopt where no service account is mounted. Throws Error(invalid_environment) where one is, and something
/// else is missing.
std::optional<Cluster> in_cluster(const GetEnv& getenv, const std::filesystem::path& service_account =
                                                            "/var/run/secrets/kubernetes.io/serviceaccount");

/// Follows the pods of a node from its construction to its destruction, in one thread of its own, which blocks all
/// signals. Whatever the API server does, memory is bounded, and nothing is asked more often than a backing-off client
/// may.
class KubernetesWatch
{
public:
    /// Throws Error(node_lacks) where there are no descriptors or threads left.
    explicit KubernetesWatch(const Cluster& cluster);
    ~KubernetesWatch();  ///< within milliseconds, whatever the API server does
    KubernetesWatch(const KubernetesWatch&) = delete;
    KubernetesWatch& operator=(const KubernetesWatch&) = delete;

    int fd() const;  ///< can be read once there is another view than the last one taken; owned by this object

    KubernetesView take();

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

}  // namespace sallyport
