// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/policy.hpp"

#include "sallyport/answered.hpp"
#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace sallyport {
namespace {

/// A wish and by which way it came.
struct Source
{
    const Wish* wish = nullptr;
    bool annotated = false;  ///< by `expose`; else by the pod's spec

    std::string text() const { return annotated ? "sallyport.dev/expose item " + in_quotes(wish->text) : wish->text; }

    [[noreturn]] void refuse(const std::string& reason) const
    {
        throw Error(annotated ? Code::bad_annotation : Code::invalid_network_config, text() + ": " + reason);
    }
};

struct Claim
{
    Exposure exposure;
    Source source;
};

std::string listed_namespaces(const Gateways& gateways)
{
    return gateways.namespaces.empty() ? "none" : listed(gateways.namespaces, in_quotes);
}

std::string listed_ports(const Gateways& gateways)
{
    const auto text_of = [](const PortRange& range) {
        return std::to_string(range.first) + (range.first == range.last ? "" : "-" + std::to_string(range.last));
    };
    return gateways.ports.empty() ? "none" : listed(gateways.ports, text_of);
}

void check_gateways(const Gateways& gateways, const std::vector<Wish>& expose, const Attachment& pod)
{
    if (!expose.empty() && !gateways.allows_namespace(pod.pod_namespace))
        throw Error(
            Code::not_allowed,
            (pod.pod_namespace.empty() ? "a pod without a namespace" : "namespace " + in_quotes(pod.pod_namespace)) +
                " may not use sallyport.dev/expose: gateways.namespaces in this node's conflist allows " +
                listed_namespaces(gateways) + "; add the namespace there or remove the annotation");
    for (const Wish& wish : expose)
        if (!gateways.allows_port(wish.host_port))
            throw Error(Code::not_allowed, "sallyport.dev/expose item " + in_quotes(wish.text) + ": node port " +
                                               std::to_string(number(wish.host_port)) +
                                               " isn't allowed: gateways.ports in this node's conflist allows " +
                                               listed_ports(gateways) + "; add the port there or choose another");
}

void check_host_address(const Source& source, const Address& address, const Config& config, const Answered& answered)
{
    if (address.is_any())
        return;
    if (address.is_localhost() && !source.annotated) {  // for the node itself, as with portmap
        if (!config.local_access)
            source.refuse("hostIP " + address.to_string() +
                          " is reached by `localAccess` alone, which is false in this " +
                          "node's conflist; set it to true, or write one of the node's addresses");
        return;
    }
    if (address.is_loopback())
        source.refuse("hostIP " + address.to_string() +
                      " is a loopback address, where no outside traffic arrives; write " +
                      "one of the node's addresses, or none for all of them");
    if (address.is_multicast())
        source.refuse("hostIP " + address.to_string() + " is a multicast address; write one of the node's addresses");
    if (!answered.contains(address))
        source.refuse(
            "hostIP " + address.to_string() +
            " is neither an address of this node's outside devices nor in \"addresses\" of its conflist, or is "
            "excluded there; write one that is answered, or none for all of them");
}

/// The claims of one wish: at most one for each family.
void expand(const Source& source, const Attachment& pod, std::vector<Claim>& claims)
{
    const Wish& wish = *source.wish;
    const auto claim = [&](const Address& host_address, const Address& pod_address) {
        claims.push_back(
            {{{host_address, wish.host_port, wish.protocol}, {pod_address, wish.pod_port, wish.protocol}}, source});
    };
    if (pod.v4 && (!wish.host_address || wish.host_address->is_v4()))
        claim(wish.host_address.value_or(Address::any_v4()), *pod.v4);
    if (pod.v6 && (!wish.host_address || !wish.host_address->is_v4()))
        claim(wish.host_address.value_or(Address::any_v6()), *pod.v6);
}

bool pod_has_family_of(const Attachment& pod, const Address& address)
{
    return address.is_v4() ? pod.v4.has_value() : pod.v6.has_value();
}

void refuse_overlaps(const std::vector<Claim>& claims)
{
    // Grouped, so that a pod with a thousand items doesn't cost a million comparisons
    std::map<std::tuple<HostPort, Protocol, bool>, std::vector<const Claim*>> groups;
    for (const Claim& claim : claims) {
        const NodePort& port = claim.exposure.node_port;
        auto& group = groups[{port.port, port.protocol, port.address.is_v4()}];
        for (const Claim* const earlier : group)
            if (overlap(earlier->exposure.node_port, port))
                (claim.source.annotated ? claim.source : earlier->source)
                    .refuse("claims the node port " + port.to_string() + " a second time, beside " +
                            (claim.source.annotated ? earlier->source : claim.source).text() + "; remove one of them");
        group.push_back(&claim);
    }
}

bool covers(const HostListener& listener, const NodePort& node_port, const Answered& answered)
{
    if (node_port.scope != Scope::node || listener.port != node_port.port || listener.protocol != node_port.protocol)
        return false;
    const bool dual_stack = listener.address == Address::any_v6() && !listener.v6_only;
    if (dual_stack)
        return true;
    if (!overlap({listener.address, listener.port, listener.protocol}, node_port))
        return false;
    return listener.address.is_any() || listener.address.is_localhost() || answered.contains(listener.address);
}

std::string held_by(const Holder& holder, const NodePort& wanted)
{
    return "node port " + wanted.to_string() + " is held by " + holder.pod +
           (wanted == holder.node_port ? "" : " (as " + holder.node_port.to_string() + ")");
}

}  // namespace

std::vector<Exposure> desired(const Config& config, const Wishes& wishes, const Attachment& pod,
                              const Answered& answered)
{
    check_gateways(config.gateways, wishes.expose, pod);
    std::vector<Claim> claims;
    for (const Wish& wish : wishes.expose) {
        const Source source{&wish, true};
        if (wish.host_address) {
            check_host_address(source, *wish.host_address, config, answered);
            if (!pod_has_family_of(pod, *wish.host_address))
                source.refuse("the pod has no " + std::string(wish.host_address->is_v4() ? "IPv4" : "IPv6") +
                              " address; remove the item or choose a hostIP of the other family");
        }
        expand(source, pod, claims);
    }
    for (const Wish& wish : wishes.port_mappings) {
        const Source source{&wish, false};
        if (wish.host_address) {
            if (!pod_has_family_of(pod, *wish.host_address))
                continue;  // as portmap does
            check_host_address(source, *wish.host_address, config, answered);
        }
        expand(source, pod, claims);
    }
    refuse_overlaps(claims);

    std::vector<Exposure> exposures;
    exposures.reserve(claims.size() + 2 * wishes.remap.size());
    for (const Claim& claim : claims)
        exposures.push_back(claim.exposure);
    for (const Wish& wish : wishes.remap)
        for (const auto& address : {pod.v4, pod.v6})
            if (address)
                exposures.push_back(
                    {{*address, wish.host_port, wish.protocol, Scope::pod}, {*address, wish.pod_port, wish.protocol}});
    return exposures;
}

bool any_at(Scope scope, const std::vector<Exposure>& exposures)
{
    return std::any_of(exposures.begin(), exposures.end(),
                       [scope](const Exposure& exposure) { return exposure.node_port.scope == scope; });
}

void refuse_other_namespaces(const std::vector<Exposure>& wanted, const Attachment& pod,
                             const std::vector<Holder>& holders)
{
    for (const Exposure& exposure : wanted)
        for (const Holder& holder : holders)
            if (overlap(exposure.node_port, holder.node_port) && holder.pod_namespace != pod.pod_namespace &&
                holder.attachment != pod.id)
                throw Error(Code::port_taken,
                            held_by(holder, exposure.node_port) +
                                "; remove that pod's sallyport.dev/expose or choose another port. Where there is no "
                                "such pod any more, its runtime left its network namespace behind: `umount " +
                                holder.netns + "` ends that");
}

void refuse_other_containers(const std::vector<Exposure>& published, const Attachment& container,
                             const std::vector<Holder>& holders)
{
    for (const Exposure& exposure : published)
        for (const Holder& holder : holders)
            if (overlap(exposure.node_port, holder.node_port) &&
                holder.attachment.container_id != container.id.container_id)
                throw Error(Code::port_taken, held_by(holder, exposure.node_port) +
                                                  "; stop that container first, or choose another port");
}

Error or_elsewhere(const Error& refusal, const Attachment& pod)
{
    if (refusal.code() != Code::port_taken || pod.pod_namespace.empty())
        return refusal;
    return {refusal.code(), std::string(refusal.what()) + "; or delete this pod, so that it may land elsewhere"};
}

const HostListener* find_cut_off(const std::vector<Exposure>& wanted, const std::vector<HostListener>& listeners,
                                 const Answered& answered)
{
    for (const HostListener& listener : listeners)
        for (const Exposure& exposure : wanted)
            if (covers(listener, exposure.node_port, answered))
                return &listener;
    return nullptr;
}

}  // namespace sallyport
