// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/process.hpp"

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

/// False also where the process has ended meanwhile, or where we may not look.
bool holds(const fs::path& process, std::string_view socket)
{
    std::error_code error;
    for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
        std::error_code closed_meanwhile;
        if (fs::read_symlink(fd->path(), closed_meanwhile) == socket)
            return true;
    }
    return false;
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

    // /proc lists processes by ascending id: of a master and its workers we name the master.
    std::error_code error;
    for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
        const std::optional<int> pid = parse_pid(entry->path().filename().native());
        if (pid && holds(entry->path(), socket))
            return Process{.pid = *pid, .name = name_of(entry->path())};
    }
    return std::nullopt;
}

}  // namespace sallyport
