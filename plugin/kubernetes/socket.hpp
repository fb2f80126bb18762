// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A TCP connection that never waits longer than it may.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/clock.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <cstdint>

namespace sallyport::kubernetes {

/// How long somebody waits: until a moment, or until another thread says stop.
struct Patience
{
    Instant until;
    int stop = -1;  ///< can be read once it is said; not owned

    /// Until `fd` can be read (POLLIN) or written (POLLOUT), or has failed. Throws Error(try_again_later).
    void wait(int fd, short events) const;
};

/// A connection that doesn't block, and that fails within half a minute when the other side is gone without a word.
/// Throws Error(io_failure), or as Patience does.
UniqueFd connect_to(const Address& address, std::uint16_t port, const Patience& patience);

}  // namespace sallyport::kubernetes
