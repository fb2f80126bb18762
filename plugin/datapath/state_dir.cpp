// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "state_dir.hpp"

#include "programs.hpp"

#include "sallyport/error.hpp"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sallyport {

namespace fs = std::filesystem;

namespace {

/// bpf/maps.h
constexpr std::array tables{"meta",
                            "pods",
                            "pod_exposures",
                            "backends",
                            "words",
                            "node_ports",
                            "living",
                            "pod_addresses",
                            "addresses",
                            "flows_new",
                            "flows_established",
                            "flows_answered",
                            "room",
                            "socket_flows",
                            "guesses",
                            "quic_ids",
                            "quic_clients",
                            "clashes",
                            "held",
                            "questions",
                            "fragmented",
                            "connected_peer",
                            "datagram_peers",
                            "port_uses",
                            "traffic",
                            "drops",
                            "events",
                            "event_head"};

bool is_bpf_file_system(const fs::path& path) noexcept
{
    struct statfs file_system{};
    return statfs(path.c_str(), &file_system) == 0 && static_cast<unsigned long>(file_system.f_type) == BPF_FS_MAGIC;
}

}  // namespace

bool StateDir::exists() const noexcept
{
    std::error_code ignored;
    return is_bpf_file_system(root_.parent_path()) && fs::is_directory(root_, ignored);
}

bool StateDir::has_tables() const noexcept
{
    std::error_code ignored;
    return std::all_of(tables.begin(), tables.end(),
                       [&](const char* table) { return fs::exists(map(table), ignored); });
}

bool StateDir::is_complete() const
{
    const auto programs = pins_of(ProgramSet::node);
    std::error_code ignored;
    return has_tables() && std::all_of(programs.begin(), programs.end(),
                                       [&](const std::string& name) { return fs::exists(program(name), ignored); });
}

void StateDir::require_bpffs() const
{
    const fs::path bpffs = root_.parent_path();
    if (!is_bpf_file_system(bpffs))
        throw Error(Code::node_lacks, "no BPF file system is mounted at " + bpffs.string() +
                                          " (`findmnt -t bpf` shows where one is); mount it with `mount -t bpf bpf " +
                                          bpffs.string() + "` or set `bpffs` in the conflist");
}

void StateDir::create() const
{
    require_bpffs();
    for (const char* part : {"maps", "programs", "links", "filters", "pod_links", "pod_filters", "cgroups"}) {
        std::error_code error;
        fs::create_directories(root_ / part, error);
        if (error)
            throw Error(Code::node_lacks, "create " + (root_ / part).string() + ": " + error.message());
    }
}

void StateDir::remove() const
{
    std::error_code error;
    for (const char* part : {"links", "filters", "pod_links", "pod_filters", "cgroups", "programs", "maps"}) {
        fs::remove_all(root_ / part, error);
        if (error)
            throw Error(Code::io_failure, "remove " + (root_ / part).string() + ": " + error.message());
    }
    fs::remove(root_, error);  // not ours alone: what others put there keeps it
}

UniqueFd open_pinned(const fs::path& path)
{
    UniqueFd fd(bpf_obj_get(path.c_str()));
    if (!fd && errno != ENOENT && errno != ENOTDIR)  // of a path to something else, nothing is ours
        throw Error(Code::io_failure, "open " + path.string() + ": " + errno_text(errno));
    return fd;
}

UniqueFd open_map(const StateDir& state, const std::string& name)
{
    UniqueFd fd = open_pinned(state.map(name));
    if (!fd)
        throw Error(Code::io_failure, "open " + state.map(name).string() +
                                          ": it isn't there; the next ADD of a gateway pod makes it anew");
    return fd;
}

void pin(int fd, const fs::path& path)
{
    if (bpf_obj_pin(fd, path.c_str()) == 0)
        return;
    // bpffs knows rename, but no pinning over an existing name.
    const bool exists = errno == EEXIST;
    const fs::path fresh = path.string() + "_new";
    std::error_code error;
    fs::remove(fresh, error);
    if (!exists || bpf_obj_pin(fd, fresh.c_str()) != 0)
        throw Error(Code::io_failure, "pin " + path.string() + ": " + errno_text(errno));
    fs::rename(fresh, path, error);
    if (error)
        throw Error(Code::io_failure, "pin " + path.string() + ": " + error.message());
}

std::vector<std::string> names_in(const fs::path& directory)
{
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
        names.push_back(entry->path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace sallyport
