// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// netns_id_of(), of netlink.hpp.
#include "netlink_socket.hpp"

#include "sallyport/os/netlink.hpp"

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

namespace sallyport {
namespace {

using namespace netlink;

constexpr int no_id = NETNSA_NSID_NOT_ASSIGNED;

int get_netns_id(Conversation& kernel, const Purpose& purpose, int netns_fd)
{
    Message request = make_message(RTM_GETNSID, NLM_F_REQUEST, rtgenmsg{});
    add_attribute(request, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));

    int id = no_id;
    const int error = kernel.ask(purpose, request, [&id](nlmsghdr* message) {
        if (const nlattr* answer = find<rtgenmsg>(message, NETNSA_NSID))
            id = nla_get_s32(answer);
    });
    if (error != 0)
        fail(purpose, errno_text(error));
    return id;
}

void assign_netns_id(Conversation& kernel, const Purpose& purpose, int netns_fd)
{
    Message request = make_message(RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK, rtgenmsg{});
    add_attribute(request, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
    add_attribute(request, NETNSA_NSID, static_cast<std::uint32_t>(no_id));  // the kernel chooses

    const int error = kernel.ask(purpose, request, [](nlmsghdr*) {});
    // EEXIST: somebody was faster, as whoever moves a veth's end there assigns one too. That id is as good.
    if (error != 0 && error != EEXIST)
        fail(purpose, errno_text(error));
}

}  // namespace

std::uint32_t netns_id_of(int netns_fd)
{
    const Purpose ask{"ask for the id of the pod's network namespace", "compare `ip netns list-id`"};
    const Purpose assign{"assign an id to the pod's network namespace", "it takes CAP_NET_ADMIN on the node"};

    // Our own namespace (a pod with hostNetwork never gets here) is no special case: the kernel gives it an id too.
    Conversation kernel(NETLINK_ROUTE);
    int id = get_netns_id(kernel, ask, netns_fd);
    if (id == no_id) {
        assign_netns_id(kernel, assign, netns_fd);
        id = get_netns_id(kernel, ask, netns_fd);
    }
    if (id < 0)
        fail(ask, "it has none, right after it was given one");
    return static_cast<std::uint32_t>(id);
}

}  // namespace sallyport
