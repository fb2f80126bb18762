// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One plain dump, read from a plain socket. Neither libnl (which would parse each classifier's options) nor libbpf
// (which asks for one filter by its handle) tells the order.
#include "sallyport/os/tc_filters.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

namespace sallyport {
namespace {

[[noreturn]] void fail(int ifindex, int error)
{
    throw Error(Code::node_lacks, "list the tc filters of device " + std::to_string(ifindex) +
                                      " over netlink: " + errno_text(error) + "; compare `tc filter show`");
}

void send_request(const UniqueFd& netlink, int ifindex, bool ingress)
{
    struct
    {
        nlmsghdr header;
        tcmsg body;
        rtattr chain_header;
        std::uint32_t chain;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_GETTFILTER;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.tcm_family = AF_UNSPEC;
    request.body.tcm_ifindex = ifindex;
    request.body.tcm_parent = TC_H_MAKE(TC_H_CLSACT, ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
    request.chain_header = {.rta_len = RTA_LENGTH(sizeof request.chain), .rta_type = TCA_CHAIN};
    request.chain = 0;  // packets get to others only by a filter of this one
    if (::send(netlink.get(), &request, sizeof request, 0) < 0)
        fail(ifindex, errno);
}

std::string_view kind_of(const nlmsghdr& message)
{
    const auto* const filter = static_cast<const tcmsg*>(NLMSG_DATA(&message));
    auto left = static_cast<unsigned>(message.nlmsg_len - NLMSG_LENGTH(sizeof *filter));
    for (const rtattr* attribute = TCA_RTA(filter); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == TCA_KIND)
            return static_cast<const char*>(RTA_DATA(attribute));
    return {};
}

/// False once the list has ended.
bool read_answer(nlmsghdr* message, int ifindex, std::vector<TcFilter>& filters)
{
    if (message->nlmsg_type == NLMSG_DONE)
        return false;
    if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
        if (error == EINVAL || error == ENODEV || error == ENOENT)
            return false;  // no clsact there, or no such device
        fail(ifindex, error);
    }
    const auto* filter = static_cast<const tcmsg*>(NLMSG_DATA(message));
    // Each priority is listed by itself too, under handle 0.
    if (message->nlmsg_type == RTM_NEWTFILTER && message->nlmsg_len >= NLMSG_LENGTH(sizeof *filter) &&
        filter->tcm_handle != 0)
        filters.push_back({filter->tcm_info >> 16, filter->tcm_handle, kind_of(*message) == "bpf"});
    return true;
}

}  // namespace

std::vector<TcFilter> list_tc_filters(int ifindex, bool ingress)
{
    const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!netlink)
        fail(ifindex, errno);
    send_request(netlink, ifindex, ingress);

    std::vector<TcFilter> filters;
    for (;;) {
        alignas(nlmsghdr) std::array<char, 32768> buffer;  // the kernel fills at most as much at once
        const ssize_t length = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
        if (length < 0)
            fail(ifindex, errno);
        auto left = static_cast<unsigned>(length);
        auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
        for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
            if (!read_answer(message, ifindex, filters))
                return filters;
    }
}

}  // namespace sallyport
