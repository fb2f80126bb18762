// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/netlink.hpp"

#include "netlink_socket.hpp"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace sallyport {
namespace {

using namespace netlink;

/// From 4 or 16 bytes in network byte order.
Address address_from(int family, const void* bytes)
{
    Address::Bytes all = Address::any_v4().bytes();
    if (family == AF_INET)
        std::memcpy(all.data() + 12, bytes, 4);
    else
        std::memcpy(all.data(), bytes, 16);
    return Address(all);
}

/// What frames of this kind of device (ARPHRD_...) begin with, as programs on it see them.
LinkHeader link_header_of(unsigned short type)
{
    switch (type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
        return LinkHeader::ethernet;
    case ARPHRD_NONE:  // WireGuard, tun
    case ARPHRD_RAWIP:
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
        return LinkHeader::none;
    default:
        return LinkHeader::other;
    }
}

/// The device that gets the frames which arrive here; 0 where it is this one. Ports of a VRF keep theirs.
int master_of(nlmsghdr* message)
{
    const nlattr* master = find<ifinfomsg>(message, IFLA_MASTER);
    const nlattr* info = find<ifinfomsg>(message, IFLA_LINKINFO);
    const nlattr* kind =
        info ? nla_find(static_cast<const nlattr*>(nla_data(info)), nla_len(info), IFLA_INFO_SLAVE_KIND) : nullptr;
    const bool of_vrf = kind && std::string_view(nla_get_string(kind)) == "vrf";
    return master && !of_vrf ? static_cast<int>(nla_get_u32(master)) : 0;
}

/// IFLA_INFO_KIND; "" of hardware.
std::string kind_of(nlmsghdr* message)
{
    const nlattr* info = find<ifinfomsg>(message, IFLA_LINKINFO);
    const nlattr* kind =
        info ? nla_find(static_cast<const nlattr*>(nla_data(info)), nla_len(info), IFLA_INFO_KIND) : nullptr;
    return kind ? nla_get_string(kind) : "";
}

std::optional<std::uint32_t> xdp_program_of(nlmsghdr* message)
{
    const nlattr* xdp = find<ifinfomsg>(message, IFLA_XDP);
    const auto part = [&](int type) { return nla_find(static_cast<const nlattr*>(nla_data(xdp)), nla_len(xdp), type); };
    const nlattr* attached = xdp ? part(IFLA_XDP_ATTACHED) : nullptr;
    if (!attached || nla_get_u8(attached) == XDP_ATTACHED_NONE)
        return std::nullopt;
    const nlattr* id = part(IFLA_XDP_PROG_ID);
    return id ? nla_get_u32(id) : 0;
}

void read_link(nlmsghdr* message, std::vector<Device>& devices)
{
    const auto* link = header_of<ifinfomsg>(message);
    const nlattr* name = find<ifinfomsg>(message, IFLA_IFNAME);
    if (!link || !name)
        return;
    const nlattr* mtu = find<ifinfomsg>(message, IFLA_MTU);
    const nlattr* other = find<ifinfomsg>(message, IFLA_LINK);
    const nlattr* netns = find<ifinfomsg>(message, IFLA_LINK_NETNSID);
    devices.push_back({
        .ifindex = link->ifi_index,
        .name = nla_get_string(name),
        .kind = kind_of(message),
        .loopback = (link->ifi_flags & IFF_LOOPBACK) != 0,
        .link_header = link_header_of(link->ifi_type),
        .mtu = mtu ? nla_get_u32(mtu) : 0,
        .link = other ? static_cast<int>(nla_get_u32(other)) : 0,
        .link_netns = netns ? std::optional(nla_get_u32(netns)) : std::nullopt,
        .master = master_of(message),
        .xdp_program = xdp_program_of(message),
    });
}

Message request_for_links(int flags)
{
    Message request = make_message(RTM_GETLINK, NLM_F_REQUEST | flags, ifinfomsg{});
    add_attribute(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);  // IPv6 counters are a quarter of each answer
    return request;
}

std::vector<Device> list_devices(Conversation& kernel)
{
    return kernel.list<Device>({"list the node's devices", "compare `ip link show`"}, request_for_links(NLM_F_DUMP),
                               read_link);
}

void read_address(nlmsghdr* message, std::vector<LocalAddress>& addresses)
{
    const auto* header = header_of<ifaddrmsg>(message);
    if (!header || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
        return;
    // On a point-to-point device IFA_ADDRESS is the other end; IFA_LOCAL is then ours. IPv6 has IFA_LOCAL only there.
    const nlattr* local = find<ifaddrmsg>(message, IFA_LOCAL);
    if (!local)
        local = find<ifaddrmsg>(message, IFA_ADDRESS);
    const int size = header->ifa_family == AF_INET ? 4 : 16;
    if (!local || nla_len(local) != size)
        return;
    const bool global = header->ifa_scope == RT_SCOPE_UNIVERSE;
    addresses.push_back({
        .address = address_from(header->ifa_family, nla_data(local)),
        .ifindex = static_cast<int>(header->ifa_index),
        .global = global,
        .on_link = global && header->ifa_prefixlen < 8 * size,
        .permanent = (header->ifa_flags & IFA_F_PERMANENT) != 0,
    });
}

std::vector<LocalAddress> list_addresses(Conversation& kernel)
{
    return kernel.list<LocalAddress>({"list the node's addresses", "compare `ip address show`"},
                                     make_message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, ifaddrmsg{}), read_address);
}

/// One hop of a default route.
struct WayOut
{
    int ifindex = 0;
    std::optional<Address> source;  ///< what the route names as the address to speak from
};

void read_default_route(nlmsghdr* message, std::vector<WayOut>& ways)
{
    const auto* route = header_of<rtmsg>(message);
    // Other types are unreachable, blackhole, ...: no way out. The table is looked at again for kernels below 4.20.
    if (!route || route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST)
        return;
    const nlattr* table = find<rtmsg>(message, RTA_TABLE);
    if ((table ? nla_get_u32(table) : route->rtm_table) != RT_TABLE_MAIN)
        return;
    std::optional<Address> source;
    if (const nlattr* named = find<rtmsg>(message, RTA_PREFSRC);
        named && nla_len(named) == (route->rtm_family == AF_INET ? 4 : 16))
        source = address_from(route->rtm_family, nla_data(named));
    if (const nlattr* device = find<rtmsg>(message, RTA_OIF))
        ways.push_back({static_cast<int>(nla_get_u32(device)), source});

    const nlattr* hops = find<rtmsg>(message, RTA_MULTIPATH);
    if (!hops)
        return;
    auto* hop = static_cast<rtnexthop*>(nla_data(hops));
    int left = nla_len(hops);
    while (left >= static_cast<int>(sizeof *hop) && RTNH_OK(hop, left)) {  // RTNH_OK alone reads past the end
        ways.push_back({hop->rtnh_ifindex, source});
        left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
        hop = RTNH_NEXT(hop);
    }
}

std::vector<WayOut> list_default_routes(Conversation& kernel, int family)
{
    rtmsg header{};
    header.rtm_family = static_cast<unsigned char>(family);
    header.rtm_table = RT_TABLE_MAIN;  // table local alone has several routes for each address of the node
    // ENOENT: a namespace that never had an IPv4 route has no table main.
    return kernel.list<WayOut>({"list the node's routes", "compare `ip route show` and `ip -6 route show`"},
                               make_message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, header), read_default_route,
                               ENOENT);
}

}  // namespace

Device read_device(const std::string& name)
{
    const Purpose purpose{"ask for device " + name, "compare `ip link show`"};
    Conversation kernel(NETLINK_ROUTE);
    Message request = request_for_links(0);
    add_attribute(request, IFLA_IFNAME, name);
    std::vector<Device> devices;
    if (const int error = kernel.ask(purpose, request, [&](nlmsghdr* message) { read_link(message, devices); }))
        fail(purpose, errno_text(error));
    if (devices.empty())
        fail(purpose, "no answer");
    return devices.front();
}

std::vector<Address> read_addresses_of(const std::string& device)
{
    Conversation kernel(NETLINK_ROUTE);
    const auto devices = list_devices(kernel);
    std::vector<Address> addresses;
    for (const LocalAddress& local : list_addresses(kernel))
        if (local.global && std::ranges::any_of(devices, [&](const Device& candidate) {
                return candidate.ifindex == local.ifindex && candidate.name == device;
            }))
            addresses.push_back(local.address);
    return addresses;
}

NodeNetwork read_node_network()
{
    Conversation kernel(NETLINK_ROUTE);
    NodeNetwork network{.devices = list_devices(kernel), .addresses = {}, .default_sources = {}};

    std::ranges::sort(network.devices, {}, &Device::ifindex);
    const auto mark = [&](int ifindex, bool Device::* property) {
        const auto found = std::ranges::lower_bound(network.devices, ifindex, {}, &Device::ifindex);
        if (found != network.devices.end() && found->ifindex == ifindex)  // else it came after the list of devices
            (*found).*property = true;
    };

    network.addresses = list_addresses(kernel);
    for (const LocalAddress& local : network.addresses)
        if (local.on_link)
            mark(local.ifindex, &Device::on_link);
    for (const int family : {AF_INET, AF_INET6})
        for (const WayOut& way : list_default_routes(kernel, family)) {
            mark(way.ifindex, &Device::default_route);
            if (way.source)
                network.default_sources.push_back({*way.source, way.ifindex});
        }
    return network;
}

}  // namespace sallyport
