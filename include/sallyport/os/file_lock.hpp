// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The lock under which every change of our state happens: flock(2), so a killed holder lets go of it. Who waits for it
// gets it in the order in which they came.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <chrono>
#include <filesystem>

namespace sallyport {

class FileLock
{
public:
    /// Creates the directory, and `lock` and `line` in it, where missing, and waits at most `patience` for other
    /// holders. Throws Error: node_lacks where the file can't be made, try_again_later where the patience ran out.
    static FileLock take(const std::filesystem::path& directory, std::chrono::milliseconds patience);

    /// Removes them from the directory in which they were taken, and the directory where nothing else is in it. Who
    /// waits for the lock makes them anew, and the holder does nothing any more that needs it.
    void remove_files(const std::filesystem::path& directory) const noexcept;

private:
    explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace sallyport
