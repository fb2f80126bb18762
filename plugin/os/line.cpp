// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "line.hpp"

#include "sallyport/error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

namespace sallyport {
namespace {

/// The file's content: the number of the place that was taken last. Whoever has its first byte locked may change it.
using Counter = std::uint32_t;

/// Place n is the byte at n + first_place. No byte need be there to be locked.
constexpr off_t first_place = sizeof(Counter);

struct flock range(short type, off_t from, off_t length)
{
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = from;
    lock.l_len = length;
    return lock;
}

}  // namespace

std::optional<Line> Line::open(const std::filesystem::path& directory)
{
    std::filesystem::path path = directory / "line";
    UniqueFd fd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!fd && errno == ENOENT)
        return std::nullopt;
    if (!fd)
        throw Error(Code::node_lacks,
                    "open " + path.string() + ": " + errno_text(errno) + "; its directory must be writable for root");
    return Line(std::move(path), std::move(fd));
}

bool Line::lock(off_t at, bool wanted) const
{
    struct flock lock = range(static_cast<short>(wanted ? F_WRLCK : F_UNLCK), at, 1);
    while (::fcntl(fd_.get(), F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return false;
        if (errno != EINTR)
            throw Error(Code::node_lacks, "lock a place of " + path_.string() + ": " + errno_text(errno) +
                                              "; its directory must be on a filesystem with locks, such as tmpfs");
    }
    return true;
}

bool Line::join()
{
    if (!lock(0, true))
        return false;
    // A counter that can't be read or written is a poorer hint, and no more: a place that is taken is passed over.
    Counter last = 0;
    if (::pread(fd_.get(), &last, sizeof last, 0) != sizeof last)
        last = 0;
    do
        place_ = ++last;
    while (!lock(first_place + place_, true));
    [[maybe_unused]] const ssize_t written = ::pwrite(fd_.get(), &last, sizeof last, 0);
    lock(0, false);
    return true;
}

off_t Line::ahead() const
{
    if (place_ == 0)
        return 0;
    // The kernel names the conflicting lock that is the oldest, which is the place the farthest ahead.
    struct flock before = range(F_WRLCK, first_place, place_);
    if (::fcntl(fd_.get(), F_OFD_GETLK, &before) != 0)
        throw Error(Code::node_lacks, "look along " + path_.string() + ": " + errno_text(errno));
    return before.l_type == F_UNLCK ? 0 : first_place + place_ - before.l_start;
}

}  // namespace sallyport
