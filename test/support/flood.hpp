// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Floods from addresses that don't exist, and packets in a client's name. They are made in the client's namespace and
// sent through its device: the node meets them as it would an attacker's.
#pragma once

#include "support/node.hpp"

#include <cstdint>

namespace sallyport::test {

/// Sends `count` SYNs to the node's address over IPv4, no two from the same address and port. Throws std::system_error.
void flood(const Node& node, std::uint16_t port, std::uint32_t count);

/// The same of datagrams with one byte in them.
void flood_datagrams(const Node& node, std::uint16_t port, std::uint32_t count);

struct Forged
{
    bool syn = false;  ///< else a reset
    std::uint32_t sequence = 0;
};

/// Sends one segment in the name of the client's connection from that port, as somebody would who can't see it. Throws
/// std::system_error.
void forge(const Node& node, std::uint16_t client_port, std::uint16_t port, Forged forged);

}  // namespace sallyport::test
