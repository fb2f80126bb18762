// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Network namespaces by path: which one a path stands for, and whether it still does. Never enters one.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace sallyport {

/// Identity of a namespace while it lives: device and inode of its nsfs file.
struct NetnsIdentity
{
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    auto operator<=>(const NetnsIdentity&) const = default;
};

/// A namespace held open: it can't die, nor its identity be reused, while this object lives.
struct Netns
{
    UniqueFd fd;
    NetnsIdentity identity;
};

/// Throws Error(invalid_environment) where the path doesn't lead to a network namespace.
Netns open_netns(const std::filesystem::path& path);

/// What the path leads to now; nullopt if it is gone or no longer a namespace. Throws Error(io_failure) where that
/// can't be told (out of descriptors, not permitted): the caller must not take the pod for gone.
std::optional<NetnsIdentity> identify_netns(const std::filesystem::path& path);

}  // namespace sallyport
