// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/sockets.hpp"

#include "support/errors.hpp"

#include <arpa/inet.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace sallyport::test {
namespace {}  // namespace

std::string Target::to_string() const
{
    const bool v6 = address.find(':') != std::string::npos;
    return (v6 ? '[' + address + ']' : address) + ':' + std::to_string(port);
}

SocketAddress::SocketAddress(const Target& target)
{
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (inet_pton(AF_INET, target.address.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(target.port);
        size = sizeof(*v4);
    } else if (inet_pton(AF_INET6, target.address.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(target.port);
        size = sizeof(*v6);
    } else {
        throw std::invalid_argument("not an address: " + target.address);
    }
}

Target SocketAddress::target() const
{
    char text[INET6_ADDRSTRLEN] = "";
    if (storage.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
        return {text, ntohs(v4->sin_port)};
    }
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    return {text, ntohs(v6->sin6_port)};
}

UniqueFd open_socket(const Namespace& netns, int family, int type)
{
    return netns.run([&] {
        UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket)
            fail("socket");
        return socket;
    });
}

void wait_for_address(const Namespace& netns, const std::string& text)
{
    const SocketAddress address({text, 1});  // a port of nobody's: TCP is refused there
    const auto usable = [&] {
        const UniqueFd bound = open_socket(netns, address.storage.ss_family, SOCK_DGRAM);
        if (bind(bound.get(), address.raw(), address.size) != 0)
            return false;
        const UniqueFd asking = open_socket(netns, address.storage.ss_family, SOCK_STREAM);
        int error = connect(asking.get(), address.raw(), address.size) == 0 ? 0 : errno;
        socklen_t size = sizeof error;
        if (error == EINPROGRESS && wait_for(asking.get(), POLLOUT, patience))
            getsockopt(asking.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        return error == 0 || error == ECONNREFUSED;
    };
    for (const auto end = std::chrono::steady_clock::now() + patience; !usable();) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error(text + " can't be used in " + netns.name());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

UniqueFd bound_socket(const Namespace& netns, const Target& target, int type, const BindOptions& options)
{
    const SocketAddress address(target);
    UniqueFd socket = open_socket(netns, address.storage.ss_family, type);
    const int on = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!options.device.empty() && setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, options.device.c_str(),
                                              static_cast<socklen_t>(options.device.size())) != 0)
        fail("bind to " + options.device);
    const bool v6 = address.storage.ss_family == AF_INET6;
    if (options.transparent &&
        setsockopt(socket.get(), v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof(on)) != 0)
        fail("IP_TRANSPARENT");
    if (bind(socket.get(), address.raw(), address.size) != 0)
        fail("bind " + target.to_string());
    if (type == SOCK_STREAM && listen(socket.get(), 1024) != 0)
        fail("listen " + target.to_string());
    return socket;
}

Target peer_of(int socket)
{
    SocketAddress peer;
    getpeername(socket, peer.raw(), &peer.size);
    return peer.target();
}

bool wait_for(int socket, short events, std::chrono::milliseconds limit)
{
    pollfd entry{socket, events, 0};
    int count = 0;
    do {
        count = poll(&entry, 1, static_cast<int>(limit.count()));
    } while (count < 0 && errno == EINTR);
    return count > 0;
}

bool send_all(int socket, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent > 0)
            data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EAGAIN || !wait_for(socket, POLLOUT, patience))
            return false;
    }
    return true;
}

std::string pattern(std::size_t size)
{
    std::string data(size + 8, '\0');
    std::uint64_t state = 88172645463325252U;
    for (std::size_t at = 0; at < size; at += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::memcpy(&data[at], &state, 8);
    }
    data.resize(size);
    return data;
}

std::uint64_t digest(std::string_view data, std::uint64_t seed)
{
    for (const char byte : data)
        seed = (seed ^ static_cast<unsigned char>(byte)) * 0x100000001b3;  // FNV-1a
    return seed;
}

}  // namespace sallyport::test
