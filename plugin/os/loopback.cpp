// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/loopback.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace sallyport {

bool bring_up_loopback()
{
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{.ifr_ifrn = {.ifrn_name = "lo"}, .ifr_ifru = {}};
    if (!socket || ::ioctl(socket.get(), SIOCGIFFLAGS, &loopback) != 0)
        throw Error(Code::node_lacks, "ask for the state of lo: " + errno_text(errno));
    if ((loopback.ifr_flags & IFF_UP) != 0)
        return false;
    loopback.ifr_flags = static_cast<short>(loopback.ifr_flags | IFF_UP);
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &loopback) != 0)
        throw Error(Code::node_lacks, "set lo up: " + errno_text(errno));
    return true;
}

}  // namespace sallyport
