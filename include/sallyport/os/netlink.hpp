// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What we ask the kernel over netlink, about the network namespace that we run in. All functions throw
// Error(node_lacks) with the request's name where the kernel refuses, and Error(try_again_later) where what they list
// changes again and again while they read it.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// What a device's frames begin with.
/// Ifindex of `lo`, in every namespace: its first device, which lives as long as it does and can't be moved.
inline constexpr int loopback_device = 1;

enum class LinkHeader {
    ethernet,
    none,   ///< the IP header: WireGuard, tun, IP in IP, PPP
    other,  ///< something that our programs don't know
};

struct Device
{
    int ifindex = 0;
    std::string name;
    std::string kind;  ///< of a virtual one, as `ip -d link show` has it: "veth", "dummy"; of hardware empty
    bool loopback = false;
    LinkHeader link_header = LinkHeader::ethernet;
    std::uint32_t mtu = 0;  ///< bytes from the IP header on
    int link = 0;  ///< ifindex of its other end (veth, netkit), or of what it stands on (VLAN, macvlan); else 0
    std::optional<std::uint32_t> link_netns;  ///< id of the namespace where that is; nullopt: in the device's own
    int master = 0;  ///< ifindex of the bridge, bond or the like that it is a port of; 0 for none
    std::optional<std::uint32_t> xdp_program;  ///< id of the XDP program that runs on it; 0: of one of several
    bool default_route = false;                ///< some default route of the main table leaves by it
    bool on_link = false;  ///< has a global address with a prefix: it stands in a network (a /32 or /128 is none)
};

/// An address that a device of the node has.
struct LocalAddress
{
    Address address;
    int ifindex = 0;
    bool global = false;     ///< its scope, to the kernel
    bool on_link = false;    ///< global, with a prefix: it stands in a network (a /32 or /128 is in none)
    bool permanent = false;  ///< given by hand or a program, for good; not by DHCP or a router for some time
};

/// What a default route of the main table names as the address to speak from, and a device that it leaves by.
struct DefaultSource
{
    Address address;
    int ifindex = 0;
};

/// What the node has on the network now.
struct NodeNetwork
{
    std::vector<Device> devices;          ///< by ascending ifindex
    std::vector<LocalAddress> addresses;  ///< of all devices, in the kernel's order
    std::vector<DefaultSource> default_sources;
};

NodeNetwork read_node_network();

/// The device of that name; of its place in the network (the last two members) nothing is said.
Device read_device(const std::string& name);

/// Its addresses of global scope, in the kernel's order; none where there is no such device.
std::vector<Address> read_addresses_of(const std::string& device);

/// The id by which this namespace knows that of `netns_fd`; assigned if there was none (RTM_GETNSID, RTM_NEWNSID).
std::uint32_t netns_id_of(int netns_fd);

/// Sockets of this namespace that take connections or datagrams from anyone: TCP listeners and unconnected UDP sockets.
std::vector<HostListener> read_host_listeners();

}  // namespace sallyport
