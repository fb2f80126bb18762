// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/sandbox.hpp"

#include "support/cgroup.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace sallyport::test {
namespace {

pid_t outermost = 0;

[[noreturn]] void exit_like(int status)
{
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

[[noreturn]] void give_up(const char* what)
{
    std::fprintf(stderr, "node tests can't be isolated here: %s: %s\n", what, std::strerror(errno));
    _exit(1);
}

void mount_fresh(const char* type, const char* where)
{
    if (mount(type, where, type, 0, nullptr) != 0)
        give_up(where);
}

/// The pid namespace's first process: reaps orphans until the worker ends. When it exits, the kernel ends all that is
/// left.
[[noreturn]] void be_init(pid_t worker)
{
    for (int status = 0;;) {
        const pid_t ended = wait(&status);
        if (ended == worker)
            exit_like(status);
        if (ended < 0 && errno != EINTR)
            _exit(1);
    }
}

}  // namespace

void enter_sandbox()
{
    if (geteuid() != 0) {
        std::fprintf(stderr, "node tests need root: skipped\n");
        _exit(skipped);
    }
    std::fflush(nullptr);
    outermost = getpid();
    if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWIPC) != 0)
        give_up("unshare");

    const pid_t init = fork();
    if (init < 0)
        give_up("fork");
    if (init > 0) {
        int status = 0;
        while (waitpid(init, &status, 0) < 0 && errno == EINTR) {
        }
        remove_test_cgroups();  // the one thing that doesn't go with our namespaces
        exit_like(status);
    }

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        give_up("make mounts private");
    mount_fresh("proc", "/proc");
    mount_fresh("sysfs", "/sys");  // shows our devices, and hides the machine's bpffs and cgroups
    mount_fresh("bpf", "/sys/fs/bpf");
    mount_fresh("tmpfs", "/run");      // /run/netns among others
    mount_fresh("tmpfs", "/var/log");  // the default log file's place
    std::filesystem::create_directories("/run/netns");
    std::filesystem::create_directories(sandbox_directory());

    const pid_t worker = fork();
    if (worker < 0)
        give_up("fork");
    if (worker > 0)
        be_init(worker);

    rlimit files{65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    std::signal(SIGPIPE, SIG_IGN);
}

std::filesystem::path sandbox_directory()
{
    return "/run/sallyport-test";
}

int sandbox_owner()
{
    return outermost;
}

unsigned next_number()
{
    static std::atomic<unsigned> last{0};
    return ++last;
}

}  // namespace sallyport::test
