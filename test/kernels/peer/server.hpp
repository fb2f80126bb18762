// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The gateway's end: TCP and UDP at one port, IPv4 and IPv6, until the process is killed.
#pragma once

#include <cstddef>
#include <string>

/// Answers with a line "<name> <the client's address>", then sends back what it gets.
[[noreturn]] void serve(const std::string& name, std::size_t port);
