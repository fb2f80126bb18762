// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/fast_path.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

constexpr std::uint32_t netns_of_pod = 3;

Device linked_device(int ifindex, const std::string& name, int link = 0,
                     std::optional<std::uint32_t> link_netns = std::nullopt)
{
    Device made;
    made.ifindex = ifindex;
    made.name = name;
    made.mtu = 1500;
    made.link = link;
    made.link_netns = link_netns;
    return made;
}

const Device of_pod = linked_device(2, "eth0", 9, 0);

/// Pods' devices have the same ifindex each; "lxc8" is another pod's.
std::vector<Device> devices_of_path()
{
    return {linked_device(1, "lo"), linked_device(2, "eth0"), linked_device(7, "vlan7", 2),
            linked_device(8, "lxc8", 2, 4), linked_device(9, "lxc9", 2, netns_of_pod)};
}

}  // namespace

TEST_CASE("the host's end is the one that names the pod's device in the pod's namespace")
{
    CHECK(find_host_end(of_pod, netns_of_pod, devices_of_path()).name == "lxc9");
}

TEST_CASE("a pod's device without an end of its own on the node is refused")
{
    const auto refused = [](const Device& device, std::uint32_t netns_id, const std::vector<Device>& of_node) {
        require_refusal([&] { find_host_end(device, netns_id, of_node); }, Code::node_lacks,
                        {"fastPath", "eth0", "veth or netkit", "set `fastPath` to false"});
    };
    // macvlan and the like: they name a device of the node, which names another one or none
    refused(linked_device(2, "eth0", 2, 0), netns_of_pod, devices_of_path());
    refused(linked_device(2, "eth0", 8, 0), netns_of_pod, devices_of_path());
    // the other end is in some third namespace, or in the pod's own
    refused(of_pod, 5, devices_of_path());
    refused(linked_device(2, "eth0", 9), netns_of_pod, devices_of_path());
    refused(linked_device(2, "eth0"), netns_of_pod, devices_of_path());
    refused(of_pod, netns_of_pod, {});
}

TEST_CASE("a pod's device without an Ethernet header is refused")
{
    Device bare = of_pod;
    bare.link_header = LinkHeader::none;
    require_refusal([&] { find_host_end(bare, netns_of_pod, devices_of_path()); }, Code::node_lacks,
                    {"fastPath", "eth0", "Ethernet header", "set `fastPath` to false"});
}

TEST_CASE("an outside device with a smaller MTU than the pod's is refused")
{
    std::vector<Device> outside{linked_device(2, "eth0"), linked_device(3, "eth1")};
    CHECK_NOTHROW(refuse_smaller_mtu(of_pod, outside));
    outside[0].mtu = 9000;
    CHECK_NOTHROW(refuse_smaller_mtu(of_pod, outside));
    outside[1].mtu = 1450;
    require_refusal([&] { refuse_smaller_mtu(of_pod, outside); }, Code::node_lacks,
                    {"fastPath", "eth0 has an MTU of 1500", "eth1 of the node only 1450", "set `fastPath` to false"});

    // What came in by such a device takes the host's stack, which fragments.
    outside[1].link_header = LinkHeader::none;
    CHECK_NOTHROW(refuse_smaller_mtu(of_pod, outside));
}

TEST_CASE("where Cilium's policies would be bypassed, the devices are named")
{
    CHECK_NOTHROW(refuse_bypass({}));
    require_refusal([] { refuse_bypass({linked_device(2, "eth0"), linked_device(9, "lxc9")}); },
                    Code::invalid_network_config, {"/fastPath", "Cilium", "at eth0, lxc9", "set `fastPath` to false"});
}
