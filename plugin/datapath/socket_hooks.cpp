// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "socket_hooks.hpp"

#include "programs.hpp"

#include "sallyport/error.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <set>
#include <vector>

namespace sallyport {

namespace fs = std::filesystem;

namespace {

struct SocketHook
{
    const char* name;  ///< in pins; the program is `socket_<name>`
    bpf_attach_type type;
    bool SocketWishes::* wish;
};

// recvmsg and getpeername before those that make them necessary: nobody is given a pod without being shown the node
// port that it asked for.
constexpr std::array hooks{
    SocketHook{"recvmsg4", BPF_CGROUP_UDP4_RECVMSG, &SocketWishes::local_access},
    SocketHook{"recvmsg6", BPF_CGROUP_UDP6_RECVMSG, &SocketWishes::local_access},
    SocketHook{"getpeername4", BPF_CGROUP_INET4_GETPEERNAME, &SocketWishes::local_access},
    SocketHook{"getpeername6", BPF_CGROUP_INET6_GETPEERNAME, &SocketWishes::local_access},
    SocketHook{"connect4", BPF_CGROUP_INET4_CONNECT, &SocketWishes::local_access},
    SocketHook{"connect6", BPF_CGROUP_INET6_CONNECT, &SocketWishes::local_access},
    SocketHook{"sendmsg4", BPF_CGROUP_UDP4_SENDMSG, &SocketWishes::local_access},
    SocketHook{"sendmsg6", BPF_CGROUP_UDP6_SENDMSG, &SocketWishes::local_access},
    SocketHook{"post_bind4", BPF_CGROUP_INET4_POST_BIND, &SocketWishes::reserve_ports},
    SocketHook{"post_bind6", BPF_CGROUP_INET6_POST_BIND, &SocketWishes::reserve_ports},
};

/// A program as it is pinned now.
struct Loaded
{
    const SocketHook* hook = nullptr;
    UniqueFd program;
    __u32 id = 0;
};

/// A cgroup, held open.
struct Cgroup
{
    fs::path path;
    UniqueFd fd;
    std::uint64_t inode = 0;  ///< the kernel's own name for it, never given twice
};

bool is_cgroup_v2(const fs::path& path) noexcept
{
    struct statfs file_system{};
    return statfs(path.c_str(), &file_system) == 0 &&
           static_cast<unsigned long>(file_system.f_type) == CGROUP2_SUPER_MAGIC;
}

fs::path find_cgroup_v2(const fs::path& configured)
{
    for (const fs::path& path : {configured, configured / "unified"})  // the second where v1 is mounted beside it
        if (is_cgroup_v2(path))
            return path;
    throw Error(Code::node_lacks, "neither " + configured.string() + " nor " + (configured / "unified").string() +
                                      " is a cgroup v2 directory (`findmnt -t cgroup2` shows where one is); mount it "
                                      "there or set `cgroup` in the conflist");
}

std::vector<Cgroup> children_of(const fs::path& cgroup)
{
    std::vector<Cgroup> children;
    std::error_code error;
    for (fs::directory_iterator entry(cgroup, error), end; !error && entry != end; entry.increment(error)) {
        UniqueFd fd(::open(entry->path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct stat file{};
        if (fd && ::fstat(fd.get(), &file) == 0)  // else one of the cgroup's files, or a child that is gone again
            children.push_back({entry->path(), std::move(fd), file.st_ino});
    }
    if (error)
        throw Error(Code::io_failure, "list " + cgroup.string() + ": " + error.message());
    return children;
}

std::string pin_name(const Cgroup& cgroup, const SocketHook& hook)
{
    return std::to_string(cgroup.inode) + "-" + hook.name;
}

std::vector<Loaded> load(const StateDir& state, const SocketWishes& wishes)
{
    std::vector<Loaded> loaded;
    for (const SocketHook& hook : hooks) {
        if (!(wishes.*hook.wish))
            continue;
        UniqueFd program = open_pinned(state.program(std::string("socket_") + hook.name));
        bpf_prog_info info{};
        __u32 size = sizeof info;
        if (!program || bpf_prog_get_info_by_fd(program.get(), &info, &size) != 0)
            throw Error(Code::io_failure, "open program socket_" + std::string(hook.name) + ": " + errno_text(errno));
        loaded.push_back({&hook, std::move(program), info.id});
    }
    return loaded;
}

/// Detached by name: left to the last reference, the kernel would do it some time after we have answered.
void leave(const fs::path& pin_path)
{
    if (const UniqueFd link = open_pinned(pin_path))
        bpf_link_detach(link.get());  // fails where the cgroup is gone: as wanted
    std::error_code ignored;
    fs::remove(pin_path, ignored);
}

/// The program that a link runs; 0 where it was detached.
__u32 program_of(const UniqueFd& link)
{
    bpf_link_info info{};
    __u32 size = sizeof info;
    const bool alive = bpf_link_get_info_by_fd(link.get(), &info, &size) == 0 && info.cgroup.cgroup_id != 0;
    return alive ? info.prog_id : 0;
}

void attach(const fs::path& pin_path, const Cgroup& cgroup, const Loaded& program)
{
    if (const UniqueFd link = open_pinned(pin_path)) {
        const __u32 running = program_of(link);
        if (running == program.id)
            return;
        if (running != 0 && bpf_link_update(link.get(), program.program.get(), nullptr) == 0)
            return;
        leave(pin_path);
    }
    const UniqueFd link(bpf_link_create(program.program.get(), cgroup.fd.get(), program.hook->type, nullptr));
    std::error_code ignored;
    if (link)
        pin(link.get(), pin_path);
    else if (fs::exists(cgroup.path, ignored))  // else it was removed meanwhile
        throw Error(Code::node_lacks, "attach " + std::string(program.hook->name) + " to " + cgroup.path.string() +
                                          ": " + errno_text(errno) +
                                          "; `bpftool cgroup tree` lists who else is attached");
}

}  // namespace

void SocketHooks::follow(const fs::path& cgroup, const SocketWishes& wishes) const
{
    if (!wishes.local_access && !wishes.reserve_ports) {
        leave_all();
        return;
    }
    const fs::path root = find_cgroup_v2(cgroup);
    ensure_programs(state_, ProgramSet::socket);
    const std::vector<Cgroup> children = children_of(root);
    const std::vector<Loaded> programs = load(state_, wishes);

    std::set<std::string> wanted;
    for (const Cgroup& child : children)
        for (const Loaded& program : programs)
            wanted.insert(pin_name(child, *program.hook));
    for (const std::string& name : names_in(state_.cgroups()))
        if (!wanted.contains(name))
            leave(state_.cgroups() / name);
    for (const Cgroup& child : children)
        for (const Loaded& program : programs)
            attach(state_.cgroups() / pin_name(child, *program.hook), child, program);
}

bool SocketHooks::run(const fs::path& cgroup, const SocketWishes& wishes) const
{
    if (!wishes.local_access && !wishes.reserve_ports)
        return names_in(state_.cgroups()).empty();
    const std::vector<Cgroup> children = children_of(find_cgroup_v2(cgroup));
    const std::vector<Loaded> programs = load(state_, wishes);
    return std::all_of(children.begin(), children.end(), [&](const Cgroup& child) {
        return std::all_of(programs.begin(), programs.end(), [&](const Loaded& program) {
            const UniqueFd link = open_pinned(state_.cgroups() / pin_name(child, *program.hook));
            return link && program_of(link) == program.id;
        });
    });
}

void SocketHooks::leave_all() const
{
    for (const std::string& name : names_in(state_.cgroups()))
        leave(state_.cgroups() / name);
}

}  // namespace sallyport
