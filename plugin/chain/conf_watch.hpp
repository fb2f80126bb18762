// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// An inotify watch over directories that may come, go and be replaced. It says that something has happened, never what:
// whoever asks looks for himself. Where inotify's limits are used up there are no events, and one must look more often.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

class ConfWatch
{
public:
    /// Throws Error where the process can open no more files.
    ConfWatch();

    /// Watches these and no others, as far as they exist. True where each existing one is watched.
    bool follow(const std::vector<std::filesystem::path>& directories);

    /// Takes all events; true where one was about a file that a runtime reads, or a directory, and not our own doing.
    bool drain();

    /// Readable when there are events. The same for life, though inotify may come later: it is an epoll descriptor.
    int fd() const { return epoll_.get(); }

private:
    struct Watched
    {
        int descriptor = -1;
        dev_t device = 0;
        ino_t inode = 0;
    };

    bool open();
    bool add(const std::filesystem::path& directory);
    void forget(const std::filesystem::path& directory);

    UniqueFd epoll_;
    UniqueFd inotify_;
    std::map<std::filesystem::path, Watched> watched_;
    bool complained_ = false;
};

}  // namespace sallyport
