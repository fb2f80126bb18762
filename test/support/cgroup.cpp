// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/cgroup.hpp"

#include "support/footprint.hpp"
#include "support/sandbox.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view our_prefix = "sallyport-test-";

/// Where the sandbox sees cgroup v2, if anybody has asked for it yet.
fs::path mount_point()
{
    return sandbox_directory() / "cgroup2";
}

/// The one for all tests of this process. Named by the process that outlives the sandbox, and will remove it.
fs::path ours()
{
    return mount_point() / (std::string(our_prefix) + std::to_string(sandbox_owner()));
}

void move_to(const fs::path& cgroup)
{
    std::ofstream file(cgroup / "cgroup.procs");
    file << "0" << std::flush;  // "this process", whatever its number in this pid namespace
    if (!file)
        throw std::system_error(errno, std::generic_category(), "move to " + cgroup.string());
}

/// Its files can't be removed, and needn't.
void remove_tree(const fs::path& cgroup) noexcept
{
    std::error_code error;
    std::vector<fs::path> children;
    for (fs::directory_iterator entry(cgroup, error), end; !error && entry != end; entry.increment(error))
        if (entry->is_directory(error))
            children.push_back(entry->path());
    for (const fs::path& child : children)
        remove_tree(child);
    ::rmdir(cgroup.c_str());
}

std::optional<pid_t> owner_of(const std::string& name)
{
    pid_t owner = 0;
    if (!name.starts_with(our_prefix))
        return std::nullopt;
    const auto [end, error] = std::from_chars(name.data() + our_prefix.size(), name.data() + name.size(), owner);
    return error == std::errc{} && end == name.data() + name.size() ? std::optional(owner) : std::nullopt;
}

}  // namespace

Cgroup::Cgroup() : path_(ours() / std::to_string(next_number()))
{
    std::error_code error;
    fs::create_directories(mount_point(), error);
    if (!fs::exists(mount_point() / "cgroup.procs") &&
        mount("cgroup2", mount_point().c_str(), "cgroup2", 0, nullptr) != 0)
        SKIP("no cgroup v2 here: " << std::strerror(errno));
    if (!fs::create_directories(path_, error))
        SKIP("no cgroup can be made here: " << error.message());
}

Cgroup::~Cgroup()
{
    remove_tree(path_);
}

void Cgroup::add(const std::string& child) const
{
    fs::create_directory(path_ / child);
}

void Cgroup::remove(const std::string& child) const
{
    if (::rmdir((path_ / child).c_str()) != 0)
        throw std::system_error(errno, std::generic_category(), "remove cgroup " + child);
}

std::vector<std::string> Cgroup::programs() const
{
    return programs_below(path_);
}

Stay::Stay(const Cgroup& cgroup, const std::string& child)
{
    move_to(cgroup.path() / child);
}

Stay::~Stay()
{
    move_to(mount_point());
}

void remove_test_cgroups() noexcept
{
    std::error_code error;
    for (fs::directory_iterator entry(mount_point(), error), end; !error && entry != end; entry.increment(error)) {
        const auto owner = owner_of(entry->path().filename());
        if (owner && (*owner == getpid() || (kill(*owner, 0) != 0 && errno == ESRCH)))
            remove_tree(entry->path());
    }
}

}  // namespace sallyport::test
