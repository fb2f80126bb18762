// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/netlink_monitor.hpp"

#include "netlink_socket.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace sallyport {
namespace {

/// Nodes that speak BGP see thousands of other routes come and go.
bool is_default_route(nlmsghdr* message)
{
    const auto* route = netlink::header_of<rtmsg>(message);
    return route != nullptr && route->rtm_dst_len == 0;
}

bool concerns_us(nlmsghdr* message)
{
    switch (message->nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return true;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return is_default_route(message);
    default:
        return false;
    }
}

}  // namespace

NetlinkMonitor::NetlinkMonitor() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE))
{
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (!socket_ || ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw Error(Code::node_lacks, "follow the node's addresses and devices over netlink: " + errno_text(errno) +
                                          "; seccomp, a security module or the limit of open files may forbid it");
}

bool NetlinkMonitor::drain() const
{
    alignas(nlmsghdr) std::array<char, 32768> buffer;  // the kernel sends no larger one
    bool changed = false;
    for (;;) {
        const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
        if (received < 0 && errno == EINTR)
            continue;
        if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return changed;
        if (received <= 0 || static_cast<std::size_t>(received) > buffer.size()) {
            changed = true;  // ENOBUFS: more came than the socket holds
            continue;
        }
        int length = static_cast<int>(received);
        for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(message, length);
             message = nlmsg_next(message, &length))
            changed = changed || concerns_us(message);
    }
}

}  // namespace sallyport
