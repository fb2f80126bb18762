// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an exposure is: one node port that leads to one backend. Values only; who may have one is decided in policy.hpp,
// where they live in the kernel is the business of datapath.hpp.
#pragma once

#include "sallyport/address.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// IP protocol numbers (IANA) of what can be translated. SCTP can't: its CRC32c covers the ports.
enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };

/// Host byte order; two types, so that a node's port and a pod's can't be swapped by accident.
enum class HostPort : std::uint16_t {};
enum class PodPort : std::uint16_t {};

constexpr std::uint16_t number(HostPort port)
{
    return static_cast<std::uint16_t>(port);
}
constexpr std::uint16_t number(PodPort port)
{
    return static_cast<std::uint16_t>(port);
}

/// Ports `first` to `last`, both included.
struct PortRange
{
    std::uint16_t first = 0;
    std::uint16_t last = 0;

    auto operator<=>(const PortRange&) const = default;
};

/// Reads `1` to `65535`, plain decimal: no sign, blank or leading zero. nullopt for anything else.
std::optional<std::uint16_t> parse_port(std::string_view text);

/// "tcp" or "udp".
std::string_view name(Protocol protocol);

/// Reads a name in upper or lower case. nullopt for anything but TCP and UDP.
std::optional<Protocol> parse_protocol(std::string_view text);

/// For a message: why `parse_protocol` doesn't take `text`, and what to write.
std::string why_no_protocol(std::string_view text);

/// Which of several pods on one node port takes a new connection (`sallyport.dev/share`).
enum class Share : std::uint8_t { newest, spread };

std::string_view name(Share share);

/// How pods on one node port take turns. Of several pods' values, those of the youngest count.
struct Sharing
{
    Share share = Share::newest;
    std::chrono::milliseconds settle{0};  ///< how long a younger pod must have listened before it takes over
    std::chrono::milliseconds hold{0};    ///< how long new connections wait for a listener before they are refused

    auto operator<=>(const Sharing&) const = default;
};

/// Where a port is translated: on the node's outside devices (an exposure), or on one pod's own device (a remap).
enum class Scope : std::uint8_t { node = 0, pod = 1 };

/// A port of the node: `address` is one of its addresses, or the family's "any" (0.0.0.0 or ::). With Scope::pod a port
/// of the pod, whose address it is then.
struct NodePort
{
    Address address;
    HostPort port{};
    Protocol protocol = Protocol::tcp;
    Scope scope = Scope::node;

    std::string to_string() const;  ///< `0.0.0.0:80/tcp`, `[::]:443/udp`
    auto operator<=>(const NodePort&) const = default;
};

/// Where the pod's gateway listens.
struct Backend
{
    Address address;
    PodPort port{};
    Protocol protocol = Protocol::tcp;

    std::string to_string() const;  ///< `10.0.1.7:9080/tcp`
    auto operator<=>(const Backend&) const = default;
};

/// One node port that leads to one backend; both of the same family and protocol.
struct Exposure
{
    NodePort node_port;
    Backend backend;

    auto operator<=>(const Exposure&) const = default;
};

/// Could one packet match both? True for the same port, protocol and scope where the addresses are equal, or one of
/// them is the "any" of the other's family.
bool overlap(const NodePort& a, const NodePort& b);

/// Is it that port of the node, where a client of that family may come from outside?
bool is_outside(const NodePort& node_port, HostPort port, Protocol protocol, bool v4);

}  // namespace sallyport
