// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/file_lock.hpp"

#include "line.hpp"

#include "sallyport/error.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Not std::filesystem's: that makes them 0777, and runtimes start plugins with umask 0.
void make_directory(const std::filesystem::path& path)
{
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST)
        return;
    int error = errno;
    if (error == ENOENT && path.has_relative_path() && path.has_parent_path()) {
        make_directory(path.parent_path());
        if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST)
            return;
        error = errno;
    }
    throw Error(Code::node_lacks, "create directory " + path.string() + ": " + errno_text(error) +
                                      "; sallyport keeps its lock there and needs it writable");
}

/// Empty where the directory was removed in this moment.
UniqueFd open_lock(const std::filesystem::path& path)
{
    UniqueFd fd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!fd && errno != ENOENT)
        throw Error(Code::node_lacks, "open lock " + path.string() + ": " + errno_text(errno) +
                                          "; its directory must be writable for root");
    return fd;
}

/// False where another holder has it.
bool try_lock(const UniqueFd& fd, const std::filesystem::path& path)
{
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return false;
        if (errno != EINTR)
            throw Error(Code::node_lacks, "lock " + path.string() + ": " + errno_text(errno) +
                                              "; its directory must be on a filesystem with locks, such as tmpfs");
    }
    return true;
}

/// Is the file that we have locked still the one that others find there?
bool is_current(const UniqueFd& fd, const std::filesystem::path& path)
{
    struct stat held{};
    struct stat found{};
    return ::fstat(fd.get(), &held) == 0 && ::stat(path.c_str(), &found) == 0 && held.st_dev == found.st_dev &&
           held.st_ino == found.st_ino;
}

/// Where we stand among those who wait. Only the first of them tries the lock, so it goes to whoever came first.
class Waiting
{
public:
    explicit Waiting(Line line) : line_(std::move(line)) {}

    bool is_our_turn()
    {
        joined_ = joined_ || line_.join();
        if (!joined_)
            return false;
        if (const off_t ahead = line_.ahead(); ahead != ahead_) {
            ahead_ = ahead;
            lock_is_held();
        }
        return ahead_ == 0 || Clock::now() - moved_ > stands_still;
    }

    /// It was, and somebody had the lock: so the line stands still with reason.
    void lock_is_held()
    {
        moved_ = Clock::now();
        free_since_.reset();
    }

    /// It was, and nobody had the lock. The first one has a moment to take it.
    bool may_take()
    {
        if (!free_since_)
            free_since_ = Clock::now();
        return ahead_ == 0 || Clock::now() - *free_since_ > stands_still / 5;
    }

    /// The farther ahead the first one is, the longer it takes till then.
    Clock::duration pause() const
    {
        return joined_ ? std::clamp<Clock::duration>(ahead_ * 1ms, 500us, 50ms) : Clock::duration(100us);
    }

private:
    /// The first one may be frozen, or stopped in a debugger: then everybody else tries.
    static constexpr std::chrono::milliseconds stands_still{1000};

    Line line_;
    bool joined_ = false;
    off_t ahead_ = -1;
    Clock::time_point moved_;
    std::optional<Clock::time_point> free_since_;
};

/// The lock's file and our place in the line before it.
struct Queue
{
    UniqueFd lock;
    Waiting waiting;

    /// nullopt where the directory was removed in this moment.
    static std::optional<Queue> join(const std::filesystem::path& directory)
    {
        make_directory(directory);
        UniqueFd lock = open_lock(directory / "lock");
        auto line = lock ? Line::open(directory) : std::nullopt;
        if (!line)
            return std::nullopt;
        return Queue{std::move(lock), Waiting(std::move(*line))};
    }
};

}  // namespace

FileLock FileLock::take(const std::filesystem::path& directory, std::chrono::milliseconds patience)
{
    const Clock::time_point deadline = Clock::now() + patience;
    const std::filesystem::path path = directory / "lock";

    std::optional<Queue> queue;
    // Polled, as flock has no timeout but by a signal, and a signal handler would be the whole process's business.
    for (;;) {
        if (!queue)
            queue = Queue::join(directory);
        if (queue && queue->waiting.is_our_turn()) {
            if (!try_lock(queue->lock, path))
                queue->waiting.lock_is_held();
            else if (!is_current(queue->lock, path))
                queue.reset();  // remove_files() took them away while we waited
            else if (queue->waiting.may_take())
                return FileLock(std::move(queue->lock));
            else
                ::flock(queue->lock.get(), LOCK_UN);
        }
        const Clock::duration left = deadline - Clock::now();
        if (left <= 0ms)
            throw Error(Code::try_again_later, "lock " + path.string() + ": other processes have held it for " +
                                                   std::to_string(patience.count()) + " ms; `fuser -v " +
                                                   path.string() + "` names them");
        std::this_thread::sleep_for(std::min(queue ? queue->waiting.pause() : Clock::duration(100us), left));
    }
}

void FileLock::remove_files(const std::filesystem::path& directory) const noexcept
{
    std::error_code ignored;
    std::filesystem::remove(directory / "line", ignored);
    std::filesystem::remove(directory / "lock", ignored);  // from now on it is another one's
    ::rmdir(directory.c_str());                            // fails where there is something else in it
}

}  // namespace sallyport
