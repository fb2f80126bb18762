// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Network namespaces by path: which one a path stands for, whether it still does, and a visit to it.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
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

/// Runs `work` with this thread inside the namespace, and comes back whether it returns or throws. Throws
/// Error(node_lacks) where the thread may not enter.
void in_netns(const Netns& netns, const std::function<void()>& work);

}  // namespace sallyport
