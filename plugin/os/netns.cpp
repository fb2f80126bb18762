// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/os/netns.hpp"

#include "sallyport/error.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <exception>
#include <string>
#include <utility>

namespace sallyport {
namespace {

UniqueFd open_for_reading(const std::filesystem::path& path)
{
    // O_NONBLOCK: the path comes from outside, and opening a FIFO would otherwise wait for its writer for ever.
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

bool is_netns(const UniqueFd& fd)
{
    struct statfs filesystem{};
    if (::fstatfs(fd.get(), &filesystem) != 0 || filesystem.f_type != NSFS_MAGIC)
        return false;
    return ::ioctl(fd.get(), NS_GET_NSTYPE) == CLONE_NEWNET;  // nsfs also has mount, pid, user, ... namespaces
}

NetnsIdentity identity_of(const UniqueFd& fd, const std::filesystem::path& path)
{
    struct stat file{};
    if (::fstat(fd.get(), &file) != 0)
        throw Error(Code::io_failure, "stat network namespace " + path.string() + ": " + errno_text(errno));
    return {.device = file.st_dev, .inode = file.st_ino};
}

/// Back to where the thread came from. A command that went on inside a pod's namespace would do to the pod what is
/// meant for the node: where the kernel doesn't let us back, the process ends here.
class WayBack
{
public:
    explicit WayBack(UniqueFd home) : home_(std::move(home)) {}
    WayBack(const WayBack&) = delete;
    WayBack& operator=(const WayBack&) = delete;
    ~WayBack()
    {
        if (::setns(home_.get(), CLONE_NEWNET) != 0)
            std::terminate();
    }

private:
    UniqueFd home_;
};

}  // namespace

Netns open_netns(const std::filesystem::path& path)
{
    UniqueFd fd = open_for_reading(path);
    if (!fd)
        throw Error(Code::invalid_environment, "open network namespace " + path.string() + ": " + errno_text(errno) +
                                                   "; CNI_NETNS must lead to the pod's namespace, seen from the node");
    if (!is_netns(fd))
        throw Error(Code::invalid_environment, "open network namespace " + path.string() +
                                                   ": it is something else; `lsns -t net` lists what CNI_NETNS may be");
    const NetnsIdentity identity = identity_of(fd, path);
    return {.fd = std::move(fd), .identity = identity};
}

std::optional<NetnsIdentity> identify_netns(const std::filesystem::path& path)
{
    const UniqueFd fd = open_for_reading(path);
    if (fd)
        return is_netns(fd) ? std::optional(identity_of(fd, path)) : std::nullopt;

    // ENXIO: a socket, or a device without a driver. ESRCH, ENOENT: /proc/<pid>/ns/net of a process that has ended.
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR || error == ESRCH || error == ELOOP || error == ENXIO)
        return std::nullopt;
    // Out of descriptors, or not permitted, isn't "gone": the caller would take a living pod's ports away.
    throw Error(Code::io_failure, "look at network namespace " + path.string() + ": " + errno_text(error));
}

void in_netns(const Netns& netns, const std::function<void()>& work)
{
    UniqueFd home = open_for_reading("/proc/thread-self/ns/net");
    if (!home || ::setns(netns.fd.get(), CLONE_NEWNET) != 0)
        throw Error(Code::node_lacks, "enter the pod's network namespace: " + errno_text(errno) +
                                          "; it takes CAP_SYS_ADMIN, and /proc mounted");
    const WayBack way_back(std::move(home));
    work();
}

}  // namespace sallyport
