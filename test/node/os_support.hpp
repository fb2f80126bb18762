// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of plugin/os share: a private namespace, a child process, sockets.
#pragma once

#include "sallyport/error.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/os/process.hpp"

#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <vector>

namespace sallyport {

namespace fs = std::filesystem;
using test::TemporaryDirectory;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;

/// Moves this thread into a fresh network namespace and back at the end; the namespace and its devices die with it.
class PrivateNetns
{
public:
    PrivateNetns() : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
    {
        if (::unshare(CLONE_NEWNET) != 0)
            SKIP("making a network namespace takes root: " << errno_text(errno));
    }
    PrivateNetns(const PrivateNetns&) = delete;
    PrivateNetns& operator=(const PrivateNetns&) = delete;
    ~PrivateNetns()
    {
        if (::setns(home_.get(), CLONE_NEWNET) != 0)
            std::abort();  // the next test would run in the wrong namespace
    }

private:
    UniqueFd home_;
};

/// Runs lines of `ip` commands in this namespace.
inline void ip(const std::string& lines)
{
    FILE* batch = ::popen("ip -batch -", "w");
    REQUIRE(batch);
    std::fputs(lines.c_str(), batch);
    INFO(lines);
    REQUIRE(::pclose(batch) == 0);
}

/// A child process that runs `body` and then waits to be killed.
class Child
{
public:
    explicit Child(const std::function<void()>& body)
    {
        int ready[2];
        REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
        const UniqueFd reading(ready[0]);
        UniqueFd writing(ready[1]);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            body();
            const bool told = ::write(writing.get(), "", 1) == 1;
            while (told)
                ::pause();
            ::_exit(1);
        }
        writing = UniqueFd();
        char byte = 0;
        REQUIRE(::read(reading.get(), &byte, 1) == 1);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { kill(); }

    void kill() noexcept
    {
        if (pid_ <= 0)
            return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    int pid() const { return pid_; }

private:
    int pid_ = -1;
};

/// The code and text of the Error that `action` throws.
inline std::pair<Code, std::string> failure(const std::function<void()>& action)
{
    try {
        action();
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
    FAIL("nothing was thrown");
    return {};
}

// ---- sockets -----------------------------------------------------------------------------------------------------

inline std::uint64_t inode_of(const UniqueFd& fd)
{
    struct stat file{};
    REQUIRE(::fstat(fd.get(), &file) == 0);
    return file.st_ino;
}

inline UniqueFd bound(int family, int type, const char* address, std::uint16_t port, bool v6_only = false)
{
    UniqueFd socket(::socket(family, type | SOCK_CLOEXEC, 0));
    REQUIRE(socket);
    const int on = v6_only ? 1 : 0;
    if (family == AF_INET6)
        REQUIRE(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
    sockaddr_storage storage{};
    if (family == AF_INET) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
        v4.sin_port = htons(port);
        REQUIRE(::inet_pton(family, address, &v4.sin_addr) == 1);
    } else {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
        v6.sin6_port = htons(port);
        REQUIRE(::inet_pton(family, address, &v6.sin6_addr) == 1);
    }
    storage.ss_family = static_cast<sa_family_t>(family);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), sizeof storage) == 0);
    if (type == SOCK_STREAM)
        REQUIRE(::listen(socket.get(), 8) == 0);
    return socket;
}

inline UniqueFd connected(int type, const char* address, std::uint16_t port)
{
    UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(port);
    REQUIRE(::inet_pton(AF_INET, address, &peer.sin_addr) == 1);
    REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer) == 0);
    return socket;
}

}  // namespace sallyport
