// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// read_host_listeners(), of netlink.hpp. Four plain dumps, read from a plain socket: libnl would spare little.
#include "sallyport/error.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace sallyport {
namespace {

[[noreturn]] void fail(Protocol protocol, int error)
{
    const std::string action = "list the node's " + std::string(name(protocol)) + " listeners over netlink: ";
    throw Error(Code::node_lacks,
                action + errno_text(error) + "; the kernel needs inet_diag: `modprobe -a inet_diag tcp_diag udp_diag`");
}

UniqueFd open_sock_diag(Protocol protocol)
{
    UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!netlink)
        fail(protocol, errno);
    return netlink;
}

void send_request(const UniqueFd& netlink, Protocol protocol, int family)
{
    struct
    {
        nlmsghdr header;
        inet_diag_req_v2 body;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.sdiag_family = static_cast<__u8>(family);
    request.body.sdiag_protocol = static_cast<__u8>(protocol);
    // An unconnected UDP socket is TCP_CLOSE to sock_diag. A connected one takes datagrams from its peer only.
    request.body.idiag_states = 1U << (protocol == Protocol::tcp ? TCP_LISTEN : TCP_CLOSE);

    if (::send(netlink.get(), &request, sizeof request, 0) < 0)
        fail(protocol, errno);
}

Address address_of(const inet_diag_msg& socket)
{
    Address::Bytes bytes = Address::any_v4().bytes();
    if (socket.idiag_family == AF_INET)
        std::memcpy(bytes.data() + 12, socket.id.idiag_src, 4);
    else
        std::memcpy(bytes.data(), socket.id.idiag_src, 16);
    return Address(bytes);
}

/// IPV6_V6ONLY of an IPv6 socket; sock_diag adds it unasked for listening and unconnected ones.
bool is_v6_only(nlmsghdr* message)
{
    auto* attribute =
        reinterpret_cast<rtattr*>(static_cast<std::byte*>(NLMSG_DATA(message)) + NLMSG_ALIGN(sizeof(inet_diag_msg)));
    auto left = static_cast<int>(NLMSG_PAYLOAD(message, sizeof(inet_diag_msg)));
    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(attribute) >= 1)
            return *static_cast<const std::uint8_t*>(RTA_DATA(attribute)) != 0;
    return false;
}

/// Appends the listeners of one batch of messages. True after the last one of the dump.
bool read_batch(Protocol protocol, nlmsghdr* message, unsigned length, std::vector<HostListener>& listeners)
{
    for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
        // Refused at once (NLMSG_ERROR), or while listing (missing udp_diag): the last message then carries the error.
        if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
            int result = 0;
            if (message->nlmsg_len >= NLMSG_LENGTH(sizeof result))
                std::memcpy(&result, NLMSG_DATA(message), sizeof result);
            if (result < 0)
                fail(protocol, -result);
            return true;
        }
        if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY || message->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg)))
            continue;
        const auto& socket = *static_cast<const inet_diag_msg*>(NLMSG_DATA(message));
        const Address address = address_of(socket);
        listeners.push_back({
            .address = address,
            .port = HostPort{ntohs(socket.id.idiag_sport)},
            .protocol = protocol,
            .v6_only = !address.is_v4() && is_v6_only(message),
            .inode = socket.idiag_inode,
        });
    }
    return false;
}

void append_listeners(Protocol protocol, int family, std::vector<HostListener>& listeners)
{
    alignas(nlmsghdr) std::byte buffer[32768];  // the kernel fills at most this much at once
    const UniqueFd netlink = open_sock_diag(protocol);

    send_request(netlink, protocol, family);
    for (;;) {
        const ssize_t length = ::recv(netlink.get(), buffer, sizeof buffer, 0);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            fail(protocol, length < 0 ? errno : EPIPE);
        if (read_batch(protocol, reinterpret_cast<nlmsghdr*>(buffer), static_cast<unsigned>(length), listeners))
            return;
    }
}

}  // namespace

std::vector<HostListener> read_host_listeners()
{
    std::vector<HostListener> listeners;
    for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
        for (const int family : {AF_INET, AF_INET6})
            append_listeners(protocol, family, listeners);
    return listeners;
}

}  // namespace sallyport
