// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's end. The environment may say from which port (CLIENT_PORT), how many bytes (SIZE), and how many seconds
// to wait for each answer (PATIENCE). Each returns the exit status: 0 where all was as it should be.
#pragma once

#include "socket.hpp"

#include <string>
#include <vector>

enum class Transport { tcp, udp, unconnected_udp };

/// Opens a connection to every target, all of them from one port of its own; then asks at each. `answer` is the line
/// that must come first, and each socket's peer must be shown as the target.
int ask(Transport transport, const std::string& answer, const std::vector<Address>& targets);

/// A TCP connection that stays: sends each line of standard input, and prints it when it has come back.
int talk(const Address& target);

/// Prints what bind() says: "bound", or the error's name.
int try_bind(int type, const Address& address, bool v6_only);
