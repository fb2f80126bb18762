// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A line of processes that wait for the lock: first come, first served. Each stands at a place of the file `line`,
// locked by an open file description (fcntl(2), F_OFD_SETLK), so the place of whoever is killed is free at once. The
// line orders those who wait, and no more: the lock itself is FileLock's, and builds without a line take that too.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <utility>

namespace sallyport {

class Line
{
public:
    /// Creates `line` in the directory where missing; nullopt where the directory is missing. Throws Error(node_lacks)
    /// where it can't be made.
    static std::optional<Line> open(const std::filesystem::path& directory);

    /// Takes the place behind all others; false where somebody is just taking his: try again in a moment. Throws
    /// Error(node_lacks) where the directory's file system has no such locks.
    bool join();

    /// How many places there are from the first one taken to ours; 0: nobody stands before us. Not all need be taken.
    off_t ahead() const;

private:
    Line(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    bool lock(off_t at, bool wanted) const;

    std::filesystem::path path_;
    UniqueFd fd_;
    off_t place_ = 0;
};

}  // namespace sallyport
