// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/netns.hpp"

#include "support/errors.hpp"
#include "support/subprocess.hpp"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace sallyport::test {
namespace {

void create_at(const std::filesystem::path& path)
{
    std::exception_ptr failure;
    std::thread([&] {
        try {
            if (unshare(CLONE_NEWNET) != 0)
                fail("unshare");
            if (!std::ofstream(path))
                fail("create " + path.string());
            if (mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0)
                fail("mount " + path.string());
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace

Namespace::Namespace(std::string name) : name_(std::move(name))
{
    create_at(path());
    fd_ = UniqueFd(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd_)
        fail("open " + path().string());
    set_sysctl("net/ipv6/conf/all/disable_ipv6", "0");
    set_sysctl("net/ipv6/conf/default/disable_ipv6", "0");
    set_sysctl("net/ipv6/conf/default/accept_dad", "0");  // else an address is of no use for its first second
    set_sysctl("net/ipv4/conf/all/rp_filter", "0");
    set_sysctl("net/ipv4/conf/default/rp_filter", "0");
    ip("link set lo up\n");
}

Namespace::~Namespace()
{
    remove();
}

std::filesystem::path Namespace::path() const
{
    return "/run/netns/" + name_;
}

void Namespace::remove() noexcept
{
    fd_ = UniqueFd();
    umount2(path().c_str(), MNT_DETACH);
    ::unlink(path().c_str());
}

void Namespace::enter() const
{
    if (setns(fd(), CLONE_NEWNET) != 0)
        fail("enter " + name_);
}

void Namespace::set_sysctl(const std::string& key, std::string_view value) const
{
    run([&] {
        std::ofstream file("/proc/sys/" + key);
        file << value << std::flush;
        if (!file)
            fail("write " + key);
    });
}

void Namespace::ip(const std::string& batch) const
{
    const Output output = execute({.argv = {"ip", "-batch", "-"}, .input = batch, .netns = this});
    if (output.status != 0)
        throw std::runtime_error("ip -batch in " + name_ + ": " + output.err + "\n" + batch);
}

void Namespace::set_offload(const std::string& device, bool on) const
{
    run([&] {
        const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        for (const unsigned command :
             std::array<unsigned, 4>{ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO}) {
            ethtool_value value{command, on ? 1U : 0U};
            ifreq request{};
            std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
            request.ifr_data = reinterpret_cast<char*>(&value);
            if (ioctl(socket.get(), SIOCETHTOOL, &request) != 0)
                fail("set offload of " + device);
        }
    });
}

}  // namespace sallyport::test
