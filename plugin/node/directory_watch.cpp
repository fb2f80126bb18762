// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "directory_watch.hpp"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport {

DirectoryWatch::DirectoryWatch(std::uint32_t events)
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      events_(events)
{}

void DirectoryWatch::watch(const std::vector<std::filesystem::path>& directories)
{
    for (auto each = watches_.begin(); each != watches_.end();) {
        const bool wanted = std::find(directories.begin(), directories.end(), each->first) != directories.end();
        if (!wanted)
            ::inotify_rm_watch(inotify_.get(), each->second);
        each = wanted ? std::next(each) : watches_.erase(each);
    }
    for (const std::filesystem::path& directory : directories) {
        if (watches_.contains(directory))
            continue;
        const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), events_ | IN_ONLYDIR);
        if (watch >= 0)
            watches_[directory] = watch;
    }
}

bool DirectoryWatch::drain()
{
    alignas(inotify_event) std::array<char, 16384> buffer;
    bool changed = false;
    for (;;) {
        const ssize_t count = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (count <= 0)
            return changed;
        changed = true;
        for (ssize_t at = 0; at < count;) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            at += static_cast<ssize_t>(sizeof event + event.len);
            const int gone = event.wd;
            // The directory is gone: the next watch() tries what stands in its place.
            if ((event.mask & IN_IGNORED) != 0)
                std::erase_if(watches_, [gone](const auto& each) { return each.second == gone; });
        }
    }
}

}  // namespace sallyport
