// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/attachment.hpp"

#include "sallyport/error.hpp"

#include <algorithm>

namespace sallyport {
namespace {

/// Which of the interfaces is the pod's; its index.
std::size_t find_pod_interface(const Request& request, const std::vector<Interface>& interfaces)
{
    std::vector<std::size_t> candidates;
    for (std::size_t i = 0; i < interfaces.size(); ++i) {
        const Interface& interface = interfaces[i];
        if (interface.name != request.attachment.ifname || interface.sandbox.empty())
            continue;
        if (interface.sandbox == request.netns)
            return i;
        candidates.push_back(i);
    }
    // The same namespace may have two paths, so a lone candidate with another one is taken
    if (candidates.size() == 1)
        return candidates.front();
    throw Error(Code::invalid_network_config,
                "prevResult has " + std::string(candidates.empty() ? "no" : "more than one") + " interface " +
                    in_quotes(request.attachment.ifname) + " with a sandbox" +
                    (candidates.empty() ? "" : ", and none with " + in_quotes(request.netns)) +
                    "; Sallyport must stand after the plugin that makes the pod's interface");
}

}  // namespace

std::string Attachment::pod() const
{
    return pod_name.empty() ? id.container_id : pod_namespace + "/" + pod_name;
}

Attachment resolve_attachment(const Request& request, const std::string& network, const PrevResult& prev_result)
{
    if (!request.objection.empty())
        throw Error(Code::invalid_environment, request.objection);
    const std::size_t pod_interface = find_pod_interface(request, prev_result.interfaces);
    const bool indexed = std::any_of(prev_result.ips.begin(), prev_result.ips.end(),
                                     [](const AssignedAddress& ip) { return ip.interface.has_value(); });
    Attachment pod;
    pod.id = request.attachment;
    pod.network = network;
    pod.pod_namespace = request.pod_namespace;
    pod.pod_name = request.pod_name;
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
