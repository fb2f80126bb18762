// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Notices soon that something in a directory has changed (inotify). No promise: the kernel may have no watch left, and
// says nothing when a directory is replaced. Whoever uses this looks from time to time without being told.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

namespace sallyport {

class DirectoryWatch
{
public:
    /// `events`: IN_CREATE and its like, of entries.
    explicit DirectoryWatch(std::uint32_t events);

    int fd() const { return inotify_.get(); }

    /// Watches these directories and no others; those that can't be watched now, at the next call.
    void watch(const std::vector<std::filesystem::path>& directories);

    /// Takes what has come, without waiting. True where anything has.
    bool drain();

private:
    UniqueFd inotify_;
    std::uint32_t events_;
    std::map<std::filesystem::path, int> watches_;
};

}  // namespace sallyport
