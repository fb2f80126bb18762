// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Our programs at the system calls of the node's processes and its pods: links at every child of a cgroup v2 directory.
// Never at that directory itself: in production it is the root, which Cilium considers its own and sweeps.
#pragma once

#include "state_dir.hpp"

#include <filesystem>
#include <string>

namespace sallyport {

/// What the configuration asks for.
struct SocketWishes
{
    bool local_access = true;   ///< connect, sendmsg, recvmsg, getpeername
    bool reserve_ports = true;  ///< post_bind
};

class SocketHooks
{
public:
    explicit SocketHooks(StateDir state) : state_(std::move(state)) {}

    /// Makes the children that `cgroup` (or `<cgroup>/unified`) has now run what is wished, and nothing else run any of
    /// it. Programs of another build are replaced in place. Throws Error where the node can't: from outside, node ports
    /// work without.
    void follow(const std::filesystem::path& cgroup, const SocketWishes& wishes) const;

    /// Is that so? Throws Error where it can't be told.
    bool run(const std::filesystem::path& cgroup, const SocketWishes& wishes) const;

    /// Leaves all cgroups.
    void leave_all() const;

private:
    StateDir state_;
};

}  // namespace sallyport
