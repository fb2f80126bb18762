// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What others serve on this node without a socket, and for whom: Cilium, kube-proxy, the portmap plugin, CRI-O, podman,
// Docker, a rule of somebody's own. A node port at the same place would take it over without a word, as our programs
// are asked first. Functions of values.
#pragma once

#include "sallyport/answered.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/exposure.hpp"
#include "sallyport/packet_filter.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

struct Frontend
{
    enum class Kind { service, host_port, node_port, load_balancer, external_ip, published, rule };

    NodePort at;  ///< the address may be its family's "any"; port 0: all of the address's
    Kind kind = Kind::service;
    std::vector<Backend>
        backends{};             ///< for clients from outside, in no order; the address is "any" for the node itself
    std::string by = "Cilium";  ///< who serves it, for messages

    /// `Cilium serves 0.0.0.0:80/tcp, a hostPort`
    std::string to_string() const;
};

/// What rules of the packet filter send elsewhere of what comes to these node ports (Scope::node).
std::vector<Frontend> frontends_of(const std::vector<FilterChain>& chains, const std::vector<NodePort>& node_ports,
                                   const Answered& answered);

/// "a hostPort", "a LoadBalancer's address": for messages.
std::string_view name(Frontend::Kind kind);

/// Are node ports answered at that address, for the node itself at least?
bool is_reached_at(const Address& address, const Answered& answered);

/// Would a packet to it reach the node port? True where both match it, and its address is one that is answered.
bool is_taken_over(const Frontend& frontend, const NodePort& node_port, const Answered& answered);

/// Is it for none of these pods, though for somebody? Not where `addresses` names its address by itself: there a
/// Service has the load balancer's VIP for the gateway, whose pods may all be on other nodes.
bool is_for_others(const Frontend& frontend, const std::set<Address>& pods, const Answered& answered);

struct PodName
{
    std::string pod_namespace;
    std::string name;
};

/// Whose address that is; nullopt where nobody here knows.
using NameOfPod = std::function<std::optional<PodName>(const Address&)>;

/// Throws Error(port_taken) where a wanted node port (Scope::node) would take over what is served for others: for pods
/// none of which is this one, or known to be of its namespace. The message names one of them, or its address. Not for
/// an address that `addresses` names by itself, as is_for_others(), as long as nobody knows better.
void refuse_takeover(const std::vector<Exposure>& wanted, const std::vector<Frontend>& frontends,
                     const Answered& answered, const Attachment& pod, const NameOfPod& name_of);

}  // namespace sallyport
