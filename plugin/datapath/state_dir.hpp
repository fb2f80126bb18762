// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The names below <bpffs>/sallyport, and opening what is pinned there.
//
//   maps/<name>                     the tables
//   programs/<name>                 the programs, as the next device's hooks want them
//   links/<ifindex>-<direction>     a tcx link: the attachment lives as long as this pin
//   cgroups/<inode>-<hook>          the same for a hook at a cgroup, by the cgroup's inode
//   filters/<ifindex>-<direction>   below kernel 6.6: the program that a tc filter of ours runs on that device
//   pod_links, pod_filters          the same for pods' own devices, by the pod's generation in the ifindex's place;
//   "bare_"
//                                   in front where the device has no link-layer header, "uplink_" on the host's end
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sallyport {

class StateDir
{
public:
    explicit StateDir(const std::filesystem::path& bpffs) : root_(bpffs / "sallyport") {}

    std::filesystem::path bpffs() const { return root_.parent_path(); }
    std::filesystem::path map(const std::string& name) const { return root_ / "maps" / name; }
    std::filesystem::path program(const std::string& name) const { return root_ / "programs" / name; }
    std::filesystem::path links() const { return root_ / "links"; }
    std::filesystem::path filters() const { return root_ / "filters"; }
    std::filesystem::path cgroups() const { return root_ / "cgroups"; }
    std::filesystem::path pod_links() const { return root_ / "pod_links"; }
    std::filesystem::path pod_filters() const { return root_ / "pod_filters"; }

    /// Is there a directory of ours on a BPF file system?
    bool exists() const noexcept;

    bool has_tables() const noexcept;

    /// Are all tables there, and the programs that every node needs? Not so where a command was killed while it made or
    /// removed them, or where somebody else removed some.
    bool is_complete() const;

    /// Throws Error(node_lacks) where <bpffs> isn't a mounted BPF file system.
    void require_bpffs() const;

    /// Makes the directories. Throws as require_bpffs().
    void create() const;

    /// Removes every pin and the directories. Links go first, so that no packet meets half of our state.
    void remove() const;

private:
    std::filesystem::path root_;
};

/// The object pinned at `path`; an empty handle where nothing is. Throws Error(io_failure) for any other failure.
UniqueFd open_pinned(const std::filesystem::path& path);

/// The table of that name. Throws Error(io_failure) also where it is missing.
UniqueFd open_map(const StateDir& state, const std::string& name);

/// Pins `fd` at `path`, replacing in one step what is there.
void pin(int fd, const std::filesystem::path& path);

/// Names of the files in `directory`, sorted; none where it doesn't exist.
std::vector<std::string> names_in(const std::filesystem::path& directory);

}  // namespace sallyport
