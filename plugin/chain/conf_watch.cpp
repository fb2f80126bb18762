// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "conf_watch.hpp"

#include "sallyport/chain/conf_dir.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace sallyport {
namespace {

constexpr std::uint32_t mask = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
                               IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/// One of two names of a rename; the other one says whether it was ours.
struct Event
{
    std::uint32_t cookie = 0;
    bool matters = false;
    bool ours = false;
};

Event judged(const inotify_event& event)
{
    const std::string_view name = event.len > 0 ? std::string_view(event.name) : std::string_view();
    Event judged;
    judged.cookie = event.cookie;
    judged.ours = is_our_temporary(name);
    judged.matters = !judged.ours && (name.empty() || (event.mask & IN_ISDIR) != 0 || is_conf_name(name));
    return judged;
}

}  // namespace

ConfWatch::ConfWatch() : epoll_(::epoll_create1(EPOLL_CLOEXEC))
{
    if (!epoll_)
        throw Error(Code::io_failure, "watch the directory of the runtime's networks: " + errno_text(errno));
}

bool ConfWatch::open()
{
    if (inotify_)
        return true;
    UniqueFd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    epoll_event interest{.events = EPOLLIN, .data = {.fd = inotify.get()}};
    if (!inotify || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, inotify.get(), &interest) != 0)
        return false;
    inotify_ = std::move(inotify);
    return true;
}

bool ConfWatch::follow(const std::vector<std::filesystem::path>& directories)
{
    std::vector<std::filesystem::path> old;
    for (const auto& [directory, unused] : watched_)
        if (std::find(directories.begin(), directories.end(), directory) == directories.end())
            old.push_back(directory);
    for (const auto& directory : old)
        forget(directory);
    const bool whole =
        std::all_of(directories.begin(), directories.end(), [this](const auto& one) { return add(one); });
    if (!whole && !complained_)
        log_warning("watch " + directories[0].string() + ": " + errno_text(errno) +
                    "; looking each second instead (raise fs.inotify.max_user_instances and max_user_watches)");
    complained_ = !whole;
    return whole;
}

bool ConfWatch::add(const std::filesystem::path& directory)
{
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0) {
        forget(directory);
        return true;  // nothing to watch
    }
    const auto known = watched_.find(directory);
    if (known != watched_.end() && known->second.device == status.st_dev && known->second.inode == status.st_ino)
        return true;
    forget(directory);
    if (!open())
        return false;
    const int descriptor = ::inotify_add_watch(inotify_.get(), directory.c_str(), mask);
    if (descriptor < 0)
        return errno == ENOENT || errno == ENOTDIR;
    watched_[directory] = {descriptor, status.st_dev, status.st_ino};
    return true;
}

void ConfWatch::forget(const std::filesystem::path& directory)
{
    if (const auto known = watched_.find(directory); known != watched_.end()) {
        ::inotify_rm_watch(inotify_.get(),
                           known->second.descriptor);  // fails where the directory is gone, and that is well
        watched_.erase(known);
    }
}

bool ConfWatch::drain()
{
    alignas(inotify_event) std::array<char, 16384> buffer{};
    std::vector<Event> events;
    std::set<std::uint32_t> our_renames;
    bool lost = false;
    for (ssize_t size = 0; (size = ::read(inotify_.get(), buffer.data(), buffer.size())) > 0;) {
        for (ssize_t at = 0; at < size;) {
            const auto* const event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            lost |= (event->mask & (IN_Q_OVERFLOW | IN_UNMOUNT)) != 0;
            if ((event->mask & IN_IGNORED) != 0) {  // the directory is gone: the next follow() looks anew
                std::erase_if(watched_, [&](const auto& one) { return one.second.descriptor == event->wd; });
                continue;
            }
            events.push_back(judged(*event));
            if (events.back().ours && event->cookie != 0)
                our_renames.insert(event->cookie);
        }
    }
    return lost || std::any_of(events.begin(), events.end(), [&](const Event& event) {
               return event.matters && !our_renames.contains(event.cookie);
           });
}

}  // namespace sallyport
