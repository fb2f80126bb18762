// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/route.hpp"

#include "netlink_socket.hpp"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>

namespace sallyport {

using namespace netlink;

std::string read_device_towards(const Address& address)
{
    const Purpose purpose{"ask for the route to " + address.to_string(), "compare `ip route get`"};
    const std::size_t start = address.is_v4() ? 12 : 0;
    rtmsg header{};
    header.rtm_family = address.is_v4() ? AF_INET : AF_INET6;
    header.rtm_dst_len = static_cast<unsigned char>((address.bytes().size() - start) * 8);
    Message request = make_message(RTM_GETROUTE, NLM_F_REQUEST, header);
    const auto bytes = static_cast<int>(address.bytes().size() - start);
    if (nla_put(request.get(), RTA_DST, bytes, address.bytes().data() + start) != 0)
        throw std::bad_alloc();
    std::uint32_t ifindex = 0;
    std::array<char, IF_NAMESIZE> name{};
    Conversation kernel(NETLINK_ROUTE);
    const int error = kernel.ask(purpose, request, [&](nlmsghdr* message) {
        if (const nlattr* device = find<rtmsg>(message, RTA_OIF))
            ifindex = nla_get_u32(device);
    });
    if (error != 0 && error != ENETUNREACH && error != EHOSTUNREACH)
        fail(purpose, errno_text(error));
    return ::if_indextoname(ifindex, name.data()) ? name.data() : "";
}

}  // namespace sallyport
