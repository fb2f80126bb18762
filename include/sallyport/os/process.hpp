// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which process holds which sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace sallyport {

struct Process
{
    int pid = 0;
    std::string name;  ///< /proc/<pid>/comm
};

/// Walks /proc; costs milliseconds on a busy node, so only for a refusal that must name the process. nullopt where none
/// is visible from here.
std::optional<Process> find_socket_owner(std::uint64_t socket_inode);

/// Inodes of the sockets that are held by the process that called us, or by a child of it. Walks /proc as above.
std::set<std::uint64_t> sockets_of_caller();

}  // namespace sallyport
