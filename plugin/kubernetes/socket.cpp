// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "socket.hpp"

#include "sallyport/error.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace sallyport::kubernetes {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest_poll{60'000};

/// A peer that vanished is asked three times for a sign of life, and has as long for what it doesn't confirm.
constexpr int idle_seconds = 15;
constexpr int probe_seconds = 5;
constexpr int probes = 3;
constexpr int unconfirmed_milliseconds = 30'000;

void set(const UniqueFd& socket, int level, int option, int value)
{
    ::setsockopt(socket.get(), level, option, &value, sizeof value);
}

int start(const UniqueFd& socket, const Address& address, std::uint16_t port)
{
    if (address.is_v4()) {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_port = htons(port);
        std::memcpy(&name.sin_addr, address.bytes().data() + 12, 4);
        return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
    }
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    std::memcpy(&name.sin6_addr, address.bytes().data(), 16);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
}

}  // namespace

void Patience::wait(int fd, short events) const
{
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
        if (left <= milliseconds(0))
            throw Error(Code::try_again_later, "no answer in time");
        std::array<pollfd, 2> watched{pollfd{fd, events, 0}, pollfd{stop, POLLIN, 0}};
        const int count =
            ::poll(watched.data(), watched.size(), static_cast<int>(std::min(left, longest_poll).count()));
        if (count < 0 && errno != EINTR)
            throw Error(Code::io_failure, "wait for an answer: " + errno_text(errno));
        if (count > 0 && watched[1].revents != 0)
            throw Error(Code::try_again_later, "told to stop");
        if (count > 0)
            return;
    }
}

UniqueFd connect_to(const Address& address, std::uint16_t port, const Patience& patience)
{
    UniqueFd socket(::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket)
        throw Error(Code::io_failure, "make a socket: " + errno_text(errno));
    set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(socket, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
    set(socket, IPPROTO_TCP, TCP_KEEPINTVL, probe_seconds);
    set(socket, IPPROTO_TCP, TCP_KEEPCNT, probes);
    set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, unconfirmed_milliseconds);
    int error = start(socket, address, port) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        patience.wait(socket.get(), POLLOUT);
        socklen_t size = sizeof error;
        ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0)
        throw Error(Code::io_failure, "connect: " + errno_text(error));
    return socket;
}

}  // namespace sallyport::kubernetes
