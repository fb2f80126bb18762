// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/process.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace sallyport {
namespace {

namespace fs = std::filesystem;

/// nullopt for everything in /proc that isn't a process.
std::optional<int> parse_pid(std::string_view text)
{
    int pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || end != text.data() + text.size() || pid <= 0)
        return std::nullopt;
    return pid;
}

/// Hands what each descriptor of the process is to `visit`, until that returns true; whether it did. Nothing where the
/// process has ended meanwhile, or where we may not look.
template <typename Visit>
bool any_descriptor(const fs::path& process, Visit visit)
{
    std::error_code error;
    for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
        std::error_code closed_meanwhile;
        if (visit(fs::read_symlink(fd->path(), closed_meanwhile).native()))
            return true;
    }
    return false;
}

/// Hands each process, by ascending id, to `visit`, until that returns true.
template <typename Visit>
void visit_processes(Visit visit)
{
    std::error_code error;
    for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
        const std::optional<int> pid = parse_pid(entry->path().filename().native());
        if (pid && visit(*pid, entry->path()))
            return;
    }
}

/// 0 where the process has ended meanwhile.
int parent_of(const fs::path& process)
{
    std::string stat;
    std::ifstream in(process / "stat");
    std::getline(in, stat);
    const std::size_t name_end = stat.rfind(") ");  // of `pid (name) state parent`; the name may hold anything
    if (name_end == std::string::npos || name_end + 4 >= stat.size())
        return 0;
    int parent = 0;
    std::from_chars(stat.data() + name_end + 4, stat.data() + stat.size(), parent);
    return parent;
}

std::string name_of(const fs::path& process)
{
    std::string name;
    std::ifstream comm(process / "comm");
    std::getline(comm, name);
    // A process chooses its name itself, any bytes; ours ends up in logs and in JSON, which must be UTF-8.
    std::replace_if(name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return name;
}

}  // namespace

std::optional<Process> find_socket_owner(std::uint64_t socket_inode)
{
    const std::string socket = "socket:[" + std::to_string(socket_inode) + "]";

    std::optional<Process> owner;
    visit_processes([&](int pid, const fs::path& process) {
        if (any_descriptor(process, [&](const std::string& descriptor) { return descriptor == socket; }))
            owner = Process{.pid = pid, .name = name_of(process)};
        return owner.has_value();  // of a master and its workers, the master
    });
    return owner;
}

std::set<std::uint64_t> sockets_of_caller()
{
    constexpr std::string_view prefix = "socket:[";
    const int caller = ::getppid();
    std::set<std::uint64_t> inodes;
    visit_processes([&](int pid, const fs::path& process) {
        if (pid != caller && parent_of(process) != caller)
            return false;
        any_descriptor(process, [&](const std::string& descriptor) {
            std::uint64_t inode = 0;
            if (descriptor.starts_with(prefix) &&
                std::from_chars(descriptor.data() + prefix.size(), descriptor.data() + descriptor.size(), inode).ec ==
                    std::errc())
                inodes.insert(inode);
            return false;
        });
        return false;
    });
    return inodes;
}

}  // namespace sallyport
