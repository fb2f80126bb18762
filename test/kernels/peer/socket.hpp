// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Addresses and sockets, as both ends of an exchange use them. Whatever fails ends the process, saying what and why.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

using sallyport::UniqueFd;

/// Prints the words and errno's, and exits with status 1.
[[noreturn]] void give_up(const std::string& what);

/// A number that the environment gives, or this one.
std::size_t setting(const char* name, std::size_t otherwise);

struct Address
{
    Address() = default;
    Address(const char* address, const char* port);  ///< "192.0.2.1" or "2001:db8::1"
    static Address any(int family, std::size_t port);

    int family() const { return storage.ss_family; }
    std::string host() const;  ///< of a v4-mapped one, the IPv4 address
    std::string text() const;  ///< with the port
    sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }

    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
};

/// Bound to the address; others may bind it too.
UniqueFd bound_socket(int type, const Address& address);

/// Until there is something to read, for PATIENCE seconds at most.
void wait_readable(int socket);

void send_all(int socket, std::string_view data);
