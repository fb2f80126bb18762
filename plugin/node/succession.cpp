// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/succession.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

namespace sallyport {

namespace {

namespace fs = std::filesystem;

fs::path directory_in(const fs::path& state_dir)
{
    return state_dir / "agents";
}

std::vector<std::uint64_t> numbers_in(const fs::path& directory)
{
    std::vector<std::uint64_t> numbers;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename();
        std::uint64_t number = 0;
        const auto [last, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (wrong == std::errc{} && last == name.data() + name.size())
            numbers.push_back(number);
    }
    return numbers;
}

bool lives(const fs::path& file)
{
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

void remove_dead(const fs::path& directory)
{
    std::error_code ignored;
    for (const std::uint64_t number : numbers_in(directory))
        if (const fs::path file = directory / std::to_string(number); !lives(file))
            fs::remove(file, ignored);
}

}  // namespace

Succession::Succession(fs::path directory, std::uint64_t number, UniqueFd lock)
    : directory_(std::move(directory)),
      number_(number),
      lock_(std::move(lock))
{}

Succession::~Succession()
{
    std::error_code ignored;
    if (is_ours())
        fs::remove(directory_ / std::to_string(number_), ignored);
    if (lock_)
        fs::remove(directory_, ignored);  // where it is empty
}

Succession Succession::enter(const fs::path& state_dir)
{
    const fs::path directory = directory_in(state_dir);
    const FileLock lock = FileLock::take(state_dir, std::chrono::milliseconds(200));
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
        throw Error(Code::io_failure, "create " + directory.string() + ": " + errno_text(errno));
    std::uint64_t number = 1;
    for (const std::uint64_t other : numbers_in(directory))
        number = std::max(number, other + 1);
    remove_dead(directory);
    const fs::path file = directory / std::to_string(number);
    UniqueFd fd(::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
    if (!fd || ::flock(fd.get(), LOCK_EX) != 0)  // another agent may be looking whether we live
        throw Error(Code::io_failure, "create and lock " + file.string() + ": " + errno_text(errno));
    return {directory, number, std::move(fd)};
}

bool Succession::in_charge() const
{
    const auto numbers = numbers_in(directory_);
    return std::none_of(numbers.begin(), numbers.end(), [&](std::uint64_t other) {
        return other > number_ && lives(directory_ / std::to_string(other));
    });
}

/// Or did somebody remove the file, and another agent take its name?
bool Succession::is_ours() const
{
    struct stat held{};
    struct stat found{};
    return lock_ && ::fstat(lock_.get(), &held) == 0 &&
           ::stat((directory_ / std::to_string(number_)).c_str(), &found) == 0 && held.st_dev == found.st_dev &&
           held.st_ino == found.st_ino;
}

bool Succession::stands_in(const fs::path& state_dir) const
{
    return directory_ == directory_in(state_dir) && is_ours();
}

void Succession::tell(const std::string& listen) const
{
    // Where the disk is full, a doctor doesn't know whom to ask: no reason to do anything else differently.
    if (::ftruncate(lock_.get(), 0) == 0 && ::pwrite(lock_.get(), listen.data(), listen.size(), 0) < 0)
        log_warning("tell where HTTP is served: " + errno_text(errno));
}

FoundAgents find_agents(const fs::path& state_dir)
{
    FoundAgents found;
    const fs::path directory = directory_in(state_dir);
    std::vector<std::uint64_t> numbers = numbers_in(directory);
    std::sort(numbers.begin(), numbers.end());
    for (const std::uint64_t number : numbers) {  // the last one that lives is in charge
        const fs::path file = directory / std::to_string(number);
        std::error_code ignored;
        if (!lives(file)) {
            found.died = found.died || fs::exists(file, ignored);  // else it has ended in this moment
            continue;
        }
        found.any = true;
        found.listen.clear();
        std::getline(std::ifstream(file), found.listen);
    }
    return found;
}

void forget_dead_agents(const fs::path& state_dir) noexcept
{
    try {
        remove_dead(directory_in(state_dir));
    } catch (const std::exception&) {
        return;  // out of memory
    }
    std::error_code ignored;
    fs::remove(directory_in(state_dir), ignored);
}

}  // namespace sallyport
