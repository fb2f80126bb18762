// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages are read where they arrive. libnl's caches, and already its callbacks, copy every one of them, and a node of
// 250 pods lists more than a thousand within the few milliseconds of an ADD.
#include "sallyport/os/netlink.hpp"

#include "sallyport/error.hpp"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace sallyport {
namespace {

/// What a request is for, for messages: "list the node's addresses", and what the operator can look at.
struct Purpose
{
    std::string action;
    std::string advice;
};

[[noreturn]] void fail(const Purpose& purpose, const std::string& reason)
{
    throw Error(Code::node_lacks, purpose.action + " over netlink: " + reason + "; " + purpose.advice);
}

template <auto release>
struct Release
{
    void operator()(auto* object) const noexcept { release(object); }
};
using Socket = std::unique_ptr<nl_sock, Release<nl_socket_free>>;
using Message = std::unique_ptr<nl_msg, Release<nlmsg_free>>;
using Buffer = std::unique_ptr<unsigned char, Release<std::free>>;

template <typename Header>
Message make_message(int type, int flags, const Header& header)
{
    Message message(nlmsg_alloc_simple(type, flags));
    if (!message || nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) != 0)
        throw std::bad_alloc();
    return message;
}

void add_attribute(Message& message, int type, std::uint32_t value)
{
    if (nla_put_u32(message.get(), type, value) != 0)
        throw std::bad_alloc();
}

// ---- one request, its answers ------------------------------------------------------------------------------------

/// The error (positive) in a message that ends a conversation: an acknowledgement, a refusal or the end of a list.
int final_error(nlmsghdr* message)
{
    int result = 0;
    if (nlmsg_datalen(message) >= static_cast<int>(sizeof result))
        std::memcpy(&result, nlmsg_data(message), sizeof result);
    return result < 0 ? -result : 0;
}

class Netlink
{
public:
    explicit Netlink(int protocol) : socket_(nl_socket_alloc())
    {
        if (!socket_)
            throw std::bad_alloc();
        nl_socket_disable_auto_ack(socket_.get());
        // The kernel fills at most 32 KiB at once. A buffer of that size saves the peek before every read.
        if (const int error = nl_socket_set_msg_buf_size(socket_.get(), 32768); error != 0)
            throw Error(Code::node_lacks, std::string("prepare a netlink socket: ") + nl_geterror(error));
        if (const int error = nl_connect(socket_.get(), protocol); error != 0)
            throw Error(Code::node_lacks, std::string("open a netlink socket: ") + nl_geterror(error) +
                                              "; seccomp, a security module or the limit of open files may forbid it");
        // From kernel 4.20 on the table in a request for routes is then heeded. Before, we get all and sort them out.
        const int on = 1;
        if (protocol == NETLINK_ROUTE)
            (void)::setsockopt(nl_socket_get_fd(socket_.get()), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    }

    /// Sends one request and hands every answer to `visit`, until the last. Returns 0 or the error (positive) that the
    /// kernel answered with; EINTR where what it was listing changed meanwhile, so that the list may lack something.
    template <typename Visit>
    int ask(const Purpose& purpose, Message& request, Visit visit)
    {
        if (const int error = nl_send_auto(socket_.get(), request.get()); error < 0)
            fail(purpose, nl_geterror(error));
        for (bool interrupted = false;;) {
            unsigned char* bytes = nullptr;
            sockaddr_nl sender{};
            int length = nl_recv(socket_.get(), &sender, &bytes, nullptr);
            const Buffer buffer(bytes);
            if (length <= 0)
                fail(purpose, length < 0 ? nl_geterror(length) : "no answer");

            auto* message = reinterpret_cast<nlmsghdr*>(bytes);
            for (; nlmsg_ok(message, length); message = nlmsg_next(message, &length)) {
                interrupted = interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
                // A list that fails on its way says so in its last message, not in an error message.
                if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
                    return interrupted ? EINTR : final_error(message);
                visit(message);
                if ((message->nlmsg_flags & NLM_F_MULTI) == 0)
                    return 0;
            }
        }
    }

    /// The whole list, or none. `read` appends what one answer says. The kernel's error `error_if_empty` stands for an
    /// empty list.
    template <typename Item>
    std::vector<Item> list(const Purpose& purpose, Message request, void (*read)(nlmsghdr*, std::vector<Item>&),
                           int error_if_empty = 0)
    {
        for (int attempt = 0; attempt < 10; ++attempt) {
            std::vector<Item> items;
            const int error = ask(purpose, request, [&](nlmsghdr* header) { read(header, items); });
            if (error == 0)
                return items;
            if (error == error_if_empty)
                return {};
            if (error != EINTR)
                fail(purpose, errno_text(error));
        }
        throw Error(Code::try_again_later, purpose.action + " over netlink: it changed during each of 10 attempts");
    }

private:
    Socket socket_;
};

// ---- links, addresses, routes ------------------------------------------------------------------------------------

template <typename Header>
const Header* header_of(nlmsghdr* message)
{
    return nlmsg_valid_hdr(message, sizeof(Header)) ? static_cast<const Header*>(nlmsg_data(message)) : nullptr;
}

/// The first attribute of that type behind the header, or null.
template <typename Header>
const nlattr* find(nlmsghdr* message, int type)
{
    return nlmsg_find_attr(message, sizeof(Header), type);
}

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

void read_device(nlmsghdr* message, std::vector<Device>& devices)
{
    const auto* link = header_of<ifinfomsg>(message);
    const nlattr* name = find<ifinfomsg>(message, IFLA_IFNAME);
    if (!link || !name)
        return;
    const bool loopback = (link->ifi_flags & IFF_LOOPBACK) != 0;
    devices.push_back({
        .ifindex = link->ifi_index,
        .name = nla_get_string(name),
        .loopback = loopback,
        .ethernet = link->ifi_type == ARPHRD_ETHER || loopback,
    });
}

std::vector<Device> list_devices(Netlink& netlink)
{
    Message request = make_message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, ifinfomsg{});
    add_attribute(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);  // IPv6 counters are a quarter of each answer
    return netlink.list<Device>({"list the node's devices", "compare `ip link show`"}, std::move(request), read_device);
}

struct LocalAddress
{
    int ifindex = 0;
    Address address;
    bool on_link = false;
};

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
    addresses.push_back({
        .ifindex = static_cast<int>(header->ifa_index),
        .address = address_from(header->ifa_family, nla_data(local)),
        .on_link = header->ifa_scope == RT_SCOPE_UNIVERSE && header->ifa_prefixlen < 8 * size,
    });
}

std::vector<LocalAddress> list_addresses(Netlink& netlink)
{
    return netlink.list<LocalAddress>({"list the node's addresses", "compare `ip address show`"},
                                      make_message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, ifaddrmsg{}), read_address);
}

void read_default_route(nlmsghdr* message, std::vector<int>& ifindexes)
{
    const auto* route = header_of<rtmsg>(message);
    // Other types are unreachable, blackhole, ...: no way out. The table is looked at again for kernels below 4.20.
    if (!route || route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST)
        return;
    const nlattr* table = find<rtmsg>(message, RTA_TABLE);
    if ((table ? nla_get_u32(table) : route->rtm_table) != RT_TABLE_MAIN)
        return;
    if (const nlattr* device = find<rtmsg>(message, RTA_OIF))
        ifindexes.push_back(static_cast<int>(nla_get_u32(device)));

    const nlattr* hops = find<rtmsg>(message, RTA_MULTIPATH);
    if (!hops)
        return;
    auto* hop = static_cast<rtnexthop*>(nla_data(hops));
    int left = nla_len(hops);
    while (left >= static_cast<int>(sizeof *hop) && RTNH_OK(hop, left)) {  // RTNH_OK alone reads past the end
        ifindexes.push_back(hop->rtnh_ifindex);
        left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
        hop = RTNH_NEXT(hop);
    }
}

std::vector<int> list_default_routes(Netlink& netlink, int family)
{
    rtmsg header{};
    header.rtm_family = static_cast<unsigned char>(family);
    header.rtm_table = RT_TABLE_MAIN;  // table local alone has several routes for each address of the node
    // ENOENT: a namespace that never had an IPv4 route has no table main.
    return netlink.list<int>({"list the node's routes", "compare `ip route show` and `ip -6 route show`"},
                             make_message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, header), read_default_route,
                             ENOENT);
}

// ---- namespace ids -----------------------------------------------------------------------------------------------

constexpr int no_id = NETNSA_NSID_NOT_ASSIGNED;

int get_netns_id(Netlink& netlink, const Purpose& purpose, int netns_fd)
{
    Message request = make_message(RTM_GETNSID, NLM_F_REQUEST, rtgenmsg{});
    add_attribute(request, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));

    int id = no_id;
    const int error = netlink.ask(purpose, request, [&id](nlmsghdr* message) {
        if (const nlattr* answer = find<rtgenmsg>(message, NETNSA_NSID))
            id = nla_get_s32(answer);
    });
    if (error != 0)
        fail(purpose, errno_text(error));
    return id;
}

void assign_netns_id(Netlink& netlink, const Purpose& purpose, int netns_fd)
{
    Message request = make_message(RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK, rtgenmsg{});
    add_attribute(request, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
    add_attribute(request, NETNSA_NSID, static_cast<std::uint32_t>(no_id));  // the kernel chooses

    const int error = netlink.ask(purpose, request, [](nlmsghdr*) {});
    // EEXIST: somebody was faster, as whoever moves a veth's end there assigns one too. That id is as good.
    if (error != 0 && error != EEXIST)
        fail(purpose, errno_text(error));
}

std::vector<Address> addresses_of_node(const std::vector<LocalAddress>& locals)
{
    std::vector<Address> addresses;
    for (const LocalAddress& local : locals)
        if (!local.address.is_loopback())
            addresses.push_back(local.address);
    // The ptp plugin puts one gateway address on every pod's device.
    std::ranges::sort(addresses);
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
}

}  // namespace

std::vector<Address> read_node_addresses()
{
    Netlink netlink(NETLINK_ROUTE);
    return addresses_of_node(list_addresses(netlink));
}

NodeNetwork read_node_network()
{
    Netlink netlink(NETLINK_ROUTE);
    NodeNetwork network{.devices = list_devices(netlink), .addresses = {}};

    std::ranges::sort(network.devices, {}, &Device::ifindex);
    const auto mark = [&](int ifindex, bool Device::*property) {
        const auto found = std::ranges::lower_bound(network.devices, ifindex, {}, &Device::ifindex);
        if (found != network.devices.end() && found->ifindex == ifindex)  // else it came after the list of devices
            (*found).*property = true;
    };

    const auto addresses = list_addresses(netlink);
    network.addresses = addresses_of_node(addresses);
    for (const LocalAddress& local : addresses)
        if (local.on_link)
            mark(local.ifindex, &Device::on_link);
    for (const int family : {AF_INET, AF_INET6})
        for (const int ifindex : list_default_routes(netlink, family))
            mark(ifindex, &Device::default_route);
    return network;
}

std::uint32_t netns_id_of(int netns_fd)
{
    const Purpose ask{"ask for the id of the pod's network namespace", "compare `ip netns list-id`"};
    const Purpose assign{"assign an id to the pod's network namespace", "it takes CAP_NET_ADMIN on the node"};

    // Our own namespace (a pod with hostNetwork never gets here) is no special case: the kernel gives it an id too.
    Netlink netlink(NETLINK_ROUTE);
    int id = get_netns_id(netlink, ask, netns_fd);
    if (id == no_id) {
        assign_netns_id(netlink, assign, netns_fd);
        id = get_netns_id(netlink, ask, netns_fd);
    }
    if (id < 0)
        fail(ask, "it has none, right after it was given one");
    return static_cast<std::uint32_t>(id);
}

}  // namespace sallyport
