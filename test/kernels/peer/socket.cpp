// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "socket.hpp"

#include <arpa/inet.h>
#include <poll.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

in_port_t& port_of(sockaddr_storage& storage)
{
    return storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(storage).sin_port
                                        : reinterpret_cast<sockaddr_in6&>(storage).sin6_port;
}

}  // namespace

void give_up(const std::string& what)
{
    std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
    std::_Exit(1);  // other threads may be at work
}

std::size_t setting(const char* name, std::size_t otherwise)
{
    const char* value = std::getenv(name);
    return value ? std::strtoul(value, nullptr, 10) : otherwise;
}

Address::Address(const char* address, const char* port)
{
    if (inet_pton(AF_INET, address, &reinterpret_cast<sockaddr_in&>(storage).sin_addr) == 1) {
        storage.ss_family = AF_INET;
        size = sizeof(sockaddr_in);
    } else if (inet_pton(AF_INET6, address, &reinterpret_cast<sockaddr_in6&>(storage).sin6_addr) == 1) {
        storage.ss_family = AF_INET6;
        size = sizeof(sockaddr_in6);
    } else {
        errno = EINVAL;
        give_up(address);
    }
    port_of(storage) = htons(static_cast<in_port_t>(std::strtoul(port, nullptr, 10)));
}

Address Address::any(int family, std::size_t port)
{
    return {family == AF_INET ? "0.0.0.0" : "::", std::to_string(port).c_str()};
}

std::string Address::host() const
{
    char text[INET6_ADDRSTRLEN] = {};
    if (family() == AF_INET)
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
    else
        inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
    const std::string_view mapped = "::ffff:";
    return std::string_view(text).starts_with(mapped) ? text + mapped.size() : text;
}

std::string Address::text() const
{
    sockaddr_storage copy = storage;
    return host() + ' ' + std::to_string(ntohs(port_of(copy)));
}

UniqueFd bound_socket(int type, const Address& address)
{
    UniqueFd socket(::socket(address.family(), type, 0));
    const int on = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(socket.get(), address.raw(), address.size) != 0)
        give_up("bind to " + address.text());
    return socket;
}

void wait_readable(int socket)
{
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(setting("PATIENCE", 30) * 1000)) > 0)
        return;
    errno = ETIMEDOUT;
    give_up("wait for an answer");
}

void send_all(int socket, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent < 0)
            return;
        data.remove_prefix(static_cast<std::size_t>(sent));
    }
}
