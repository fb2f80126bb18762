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

private:
    explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace sallyport
