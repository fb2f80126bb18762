// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Sockets in a given namespace, for clients and gateways. Every wait ends: after `patience` at the latest.
#pragma once

#include "sallyport/os/unique_fd.hpp"
#include "support/netns.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::test {

/// Where a test waits for an answer that should come. Generous: it costs time only in a test that fails.
inline constexpr std::chrono::seconds patience{10};

/// Where a test waits for what should not come.
inline constexpr std::chrono::milliseconds impatience{700};

/// An address and port, as text and as the kernel wants it. IPv4-mapped addresses are read and shown as IPv4.
struct Target
{
    std::string address;
    std::uint16_t port = 0;

    std::string to_string() const;  ///< `192.0.2.1:80`, `[2001:db8::1]:80`
    bool operator==(const Target&) const = default;
};

struct SocketAddress
{
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);

    SocketAddress() = default;
    explicit SocketAddress(const Target& target);  ///< throws std::invalid_argument for what isn't an address

    sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
    Target target() const;
};

/// `type` is SOCK_STREAM or SOCK_DGRAM; non-blocking.
UniqueFd open_socket(const Namespace& netns, int family, int type);

/// Until a socket can be bound to an address of the loopback device, and TCP finds the way there. A new IPv6 address is
/// tentative for a moment; with `nodad` it isn't, but the first connect() may still say "Network is unreachable".
void wait_for_address(const Namespace& netns, const std::string& address);

struct BindOptions
{
    std::string device{};      ///< SO_BINDTODEVICE
    bool transparent = false;  ///< IP_TRANSPARENT, of both families
};

/// Bound, and for SOCK_STREAM listening. Throws std::system_error.
UniqueFd bound_socket(const Namespace& netns, const Target& target, int type, const BindOptions& options = {});

/// Whom the kernel shows as the socket's peer.
Target peer_of(int socket);

/// True once `events` (poll(2)) are there.
bool wait_for(int socket, short events, std::chrono::milliseconds limit);

/// Writes all. False where the other side went away.
bool send_all(int socket, std::string_view data);

/// Bytes that look random and are the same each time; and a digest to compare them by.
std::string pattern(std::size_t size);
std::uint64_t digest(std::string_view data, std::uint64_t seed = 0xcbf29ce484222325);

}  // namespace sallyport::test
