// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "netkit.hpp"

#include "socket.hpp"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace {

template <typename Value>
std::string bytes_of(const Value& value)
{
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string attribute(std::uint16_t type, const std::string& payload)
{
    const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(payload.size())), type};
    std::string attribute = bytes_of(header) + payload;
    attribute.resize(RTA_ALIGN(attribute.size()));
    return attribute;
}

std::string zero_terminated(const std::string& text)
{
    return {text.c_str(), text.size() + 1};
}

}  // namespace

int make_netkit(bool l3, const std::string& name, const std::string& netns)
{
    const UniqueFd peer_netns(::open(("/run/netns/" + netns).c_str(), O_RDONLY | O_CLOEXEC));
    const std::string peer = bytes_of(ifinfomsg{}) + attribute(IFLA_IFNAME, zero_terminated("eth0")) +
                             attribute(IFLA_NET_NS_FD, bytes_of(peer_netns.get()));
    const std::string wishes =
        attribute(IFLA_NETKIT_MODE, bytes_of(l3 ? NETKIT_L3 : NETKIT_L2)) + attribute(IFLA_NETKIT_PEER_INFO, peer);
    const std::string body = bytes_of(ifinfomsg{}) + attribute(IFLA_IFNAME, zero_terminated(name)) +
                             attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, zero_terminated("netkit")) +
                                                          attribute(IFLA_INFO_DATA, wishes));
    const nlmsghdr header{static_cast<std::uint32_t>(NLMSG_LENGTH(body.size())), RTM_NEWLINK,
                          NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, 1, 0};
    const std::string request = bytes_of(header) + body;

    const UniqueFd kernel(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct
    {
        nlmsghdr header;
        nlmsgerr error;
        char more[4096];
    } answer{};
    if (send(kernel.get(), request.data(), request.size(), 0) < 0 || recv(kernel.get(), &answer, sizeof answer, 0) < 0)
        give_up("ask for a netkit device");
    errno = -answer.error.error;
    if (errno != 0)
        give_up("make netkit device " + name);
    return 0;
}
