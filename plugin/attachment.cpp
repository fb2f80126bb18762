// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/attachment.hpp"

#include "sallyport/error.hpp"

#include <algorithm>

namespace sallyport {
namespace {

/// Which of the interfaces is the pod's, so that its addresses can be told from others'; its index. nullopt where the
/// result doesn't say: Calico names the host's end alone, under the pod's sandbox or none, older aws-cni has no
/// interfaces at all.
std::optional<std::size_t> find_pod_interface(const Request& request, const PrevResult& prev_result)
{
    const std::vector<Interface>& interfaces = prev_result.interfaces;
    std::vector<std::size_t> in_sandboxes;
    std::vector<std::size_t>
        without_sandbox;  // azure-vnet's; or the host's of the same name, to which no address points
    for (std::size_t i = 0; i < interfaces.size(); ++i) {
        const Interface& interface = interfaces[i];
        if (interface.name != request.attachment.ifname)
            continue;
        if (interface.sandbox == request.netns)
            return i;
        if (!interface.sandbox.empty())
            in_sandboxes.push_back(i);
        else if (std::ranges::any_of(prev_result.ips, [&](const AssignedAddress& ip) { return ip.interface == i; }))
            without_sandbox.push_back(i);
    }
    if (in_sandboxes.size() > 1)
        throw Error(Code::invalid_network_config, "prevResult has more than one interface " +
                                                      in_quotes(request.attachment.ifname) +
                                                      " with a sandbox, and none with " + in_quotes(request.netns) +
                                                      "; whose addresses are the pod's can't be told");
    // The same namespace may have two paths, so a lone candidate with another one is taken
    for (const auto& candidates : {in_sandboxes, without_sandbox})
        if (candidates.size() == 1)
            return candidates.front();
    return std::nullopt;
}

}  // namespace

std::string Attachment::pod() const
{
    return pod_name.empty() ? id.container_id : pod_namespace + "/" + pod_name;
}

std::vector<Address> addresses_of(const Attachment& pod)
{
    std::vector<Address> addresses;
    for (const auto& address : {pod.v4, pod.v6})
        if (address)
            addresses.push_back(*address);
    return addresses;
}

Attachment resolve_attachment(const Request& request, const std::string& network, const PrevResult& prev_result)
{
    if (!request.objection.empty())
        throw Error(Code::invalid_environment, request.objection);
    const auto pod_interface = find_pod_interface(request, prev_result);
    const bool indexed =
        pod_interface && std::any_of(prev_result.ips.begin(), prev_result.ips.end(),
                                     [](const AssignedAddress& ip) { return ip.interface.has_value(); });
    Attachment pod;
    pod.id = request.attachment;
    pod.network = network;
    pod.pod_namespace = request.pod_namespace;
    pod.pod_name = request.pod_name;
    pod.pod_uid = request.pod_uid;
    pod.netns = request.netns;
    for (const AssignedAddress& ip : prev_result.ips) {
        if (indexed && ip.interface != pod_interface)
            continue;
        auto& first_of_family = ip.address.is_v4() ? pod.v4 : pod.v6;
        if (!first_of_family)
            first_of_family = ip.address;
    }
    if (!pod.v4 && !pod.v6)
        throw Error(Code::invalid_network_config, "prevResult has no IP address for the pod's interface " +
                                                      in_quotes(request.attachment.ifname) +
                                                      "; Sallyport must stand after the plugin that assigns one");
    return pod;
}

}  // namespace sallyport
