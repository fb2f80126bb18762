// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/tun.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace sallyport::test {
namespace {

UniqueFd make_tun(const Namespace& netns)
{
    return netns.run([] {
        UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
        ifreq request{};
        std::strncpy(request.ifr_name, "tun0", IFNAMSIZ - 1);
        request.ifr_flags = IFF_TUN | IFF_NO_PI;
        if (!fd || ioctl(fd.get(), TUNSETIFF, &request) != 0)
            throw std::system_error(errno, std::generic_category(), "make tun0");
        return fd;
    });
}

}  // namespace

bool Tunnel::possible()
{
    return access("/dev/net/tun", R_OK | W_OK) == 0;
}

Tunnel::Tunnel(const Namespace& one, const Namespace& other)
    : one_(make_tun(one)),
      other_(make_tun(other)),
      carrier_([this] { carry(); })
{}

Tunnel::~Tunnel()
{
    stop_ = true;
    carrier_.join();
}

void Tunnel::carry() const
{
    std::array<char, 65536> packet;
    while (!stop_) {
        std::array<pollfd, 2> ends{pollfd{one_.get(), POLLIN, 0}, pollfd{other_.get(), POLLIN, 0}};
        if (poll(ends.data(), ends.size(), 20) <= 0)
            continue;
        for (std::size_t i = 0; i < ends.size(); i++)
            for (ssize_t size; (size = ::read(ends[i].fd, packet.data(), packet.size())) > 0;)
                if (::write(ends[1 - i].fd, packet.data(), static_cast<std::size_t>(size)) < 0)
                    break;  // the other end is down: lost, as on any link
    }
}

}  // namespace sallyport::test
