// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where the server listens, and how to get there.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::web {

struct ListenAddress
{
    std::optional<Address> address;  ///< nullopt: all, of both families
    std::uint16_t port = 0;          ///< 0: a free one

    auto operator<=>(const ListenAddress&) const = default;
};

/// Reads `:9465`, `192.0.2.1:9465`, `[::1]:9465`. Throws Error(invalid_environment), which quotes it.
ListenAddress parse_listen(std::string_view text);

/// Throws Error(node_lacks) with the address, the reason, and what to do.
UniqueFd listen_on(const ListenAddress& where);

/// The other side: a socket that doesn't block, and is or will be connected to who listens there; to the loopback
/// address where that is on all. Throws Error.
UniqueFd begin_to_connect(const ListenAddress& where);

std::uint16_t port_of(const UniqueFd& listener);

}  // namespace sallyport::web
