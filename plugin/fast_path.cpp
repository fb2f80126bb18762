// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/fast_path.hpp"

#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <string>

namespace sallyport {

namespace {

const std::string without_it = "; set `fastPath` to false in this node's conflist";

}  // namespace

const Device* other_end(const Device& of_pod, std::uint32_t netns_id, const std::vector<Device>& of_node)
{
    // Each names the other: a VLAN or macvlan in the pod names its parent, which knows nothing of it.
    const auto end = std::find_if(of_node.begin(), of_node.end(), [&](const Device& device) {
        return of_pod.link_netns && device.ifindex == of_pod.link && device.link == of_pod.ifindex &&
               device.link_netns == netns_id;
    });
    return end == of_node.end() ? nullptr : &*end;
}

Device find_host_end(const Device& of_pod, std::uint32_t netns_id, const std::vector<Device>& of_node)
{
    const std::string pods_own = "the pod's device " + of_pod.name;
    if (of_pod.link_header != LinkHeader::ethernet)
        throw Error(Code::node_lacks, "fastPath needs frames with an Ethernet header, and those of " + pods_own +
                                          " have none (`ip link show` in the pod's namespace tells its kind)" +
                                          without_it);
    const Device* end = other_end(of_pod, netns_id, of_node);
    if (end == nullptr)
        throw Error(Code::node_lacks, "fastPath needs a veth or netkit pair, and " + pods_own +
                                          " has no other end among the node's own devices (`ip -d link show` in the "
                                          "pod's namespace tells its kind)" +
                                          without_it);
    return *end;
}

void refuse_smaller_mtu(const Device& of_pod, const std::vector<Device>& outside)
{
    for (const Device& device : outside)
        if (device.link_header == LinkHeader::ethernet && device.mtu < of_pod.mtu)
            throw Error(Code::node_lacks, "fastPath can't fragment packets: the pod's device " + of_pod.name +
                                              " has an MTU of " + std::to_string(of_pod.mtu) + ", and " + device.name +
                                              " of the node only " + std::to_string(device.mtu) +
                                              " (`ip link show`); give pods that MTU, or set `fastPath` to false in "
                                              "this node's conflist");
}

void refuse_bypass(const std::vector<Device>& guarded)
{
    if (guarded.empty())
        return;
    throw Error(Code::invalid_network_config,
                "/fastPath is true, and would bypass Cilium's programs, which enforce its "
                "policies at " +
                    listed(guarded, &Device::name) + without_it);
}

}  // namespace sallyport
