// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/subprocess.hpp"

#include "sallyport/os/unique_fd.hpp"
#include "support/netns.hpp"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>

extern char** environ;

namespace sallyport::test {
namespace {

/// stdin, stdout and stderr as files in memory: no pipe that could fill up.
UniqueFd memory_file(const std::string& content)
{
    UniqueFd fd(memfd_create("stdio", MFD_CLOEXEC));
    if (!fd)
        throw std::system_error(errno, std::generic_category(), "memfd_create");
    for (std::size_t done = 0; done < content.size();) {
        const ssize_t written = ::write(fd.get(), content.data() + done, content.size() - done);
        if (written <= 0)
            throw std::system_error(errno, std::generic_category(), "write");
        done += static_cast<std::size_t>(written);
    }
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

std::string content_of(const UniqueFd& fd)
{
    struct stat file{};
    ::fstat(fd.get(), &file);  // the offset is the process's, which may still write
    std::string content(static_cast<std::size_t>(file.st_size), '\0');
    const ssize_t count = ::pread(fd.get(), content.data(), content.size(), 0);
    content.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return content;
}

std::vector<char*> pointers(const std::vector<std::string>& strings)
{
    std::vector<char*> result;
    std::transform(strings.begin(), strings.end(), std::back_inserter(result),
                   [](const std::string& text) { return const_cast<char*>(text.c_str()); });
    result.push_back(nullptr);
    return result;
}

/// The PATH that the program will see. execvpe(3) would look for the program in ours instead.
std::string path_of(const Invocation& invocation)
{
    constexpr std::string_view name = "PATH=";
    if (invocation.environment.empty()) {
        const char* own = std::getenv("PATH");
        return own ? own : "";
    }
    for (const std::string& variable : invocation.environment)
        if (variable.starts_with(name))
            return variable.substr(name.size());
    return "";
}

}  // namespace

std::string find_program(const std::string& name, const std::string& path)
{
    if (name.find('/') != std::string::npos)
        return name;
    std::istringstream directories(path);
    for (std::string directory; std::getline(directories, directory, ':');) {
        const std::string file = directory + '/' + name;
        std::error_code ignored;
        if (std::filesystem::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0)
            return file;
    }
    return "";
}

class Process
{
public:
    Process(const Invocation& invocation, bool traced) : in_(memory_file(invocation.input))
    {
        const std::vector<char*> argv = pointers(invocation.argv);
        const std::vector<char*> own_environment = pointers(invocation.environment);
        char* const* environment = invocation.environment.empty() ? environ : own_environment.data();
        const std::string path = path_of(invocation);
        const std::string program = find_program(invocation.argv.at(0), path);
        if (program.empty())
            throw std::runtime_error("no " + invocation.argv[0] + " in PATH=" + path);

        pid_ = fork();
        if (pid_ < 0)
            throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ > 0)
            return;
        // Other threads may have held any lock when we forked: system calls only from here on.
        std::signal(SIGPIPE, SIG_DFL);
        if (invocation.netns && setns(invocation.netns->fd(), CLONE_NEWNET) != 0)
            _exit(125);
        dup2(in_.get(), 0);
        dup2(out_.get(), 1);
        dup2(err_.get(), 2);
        if (traced)
            ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        execve(program.c_str(), argv.data(), environment);
        _exit(127);
    }

    pid_t pid() const { return pid_; }

    int wait() const
    {
        int status = 0;
        while (waitpid(pid_, &status, __WALL) < 0) {
            if (errno != EINTR)
                throw std::system_error(errno, std::generic_category(), "waitpid");
        }
        return status;
    }

    std::string errors() const { return content_of(err_); }

    Output output(int status) const
    {
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content_of(out_), content_of(err_)};
    }

private:
    UniqueFd in_;
    UniqueFd out_ = memory_file("");
    UniqueFd err_ = memory_file("");
    pid_t pid_ = -1;
};

Running::Running(const Invocation& invocation) : process_(std::make_unique<Process>(invocation, false)) {}

Running::~Running()
{
    if (ended_)
        return;
    signal(SIGKILL);
    int status = 0;
    waitpid(pid(), &status, 0);
}

pid_t Running::pid() const
{
    return process_->pid();
}

void Running::signal(int number) const
{
    ::kill(pid(), number);
}

std::string Running::errors() const
{
    return process_->errors();
}

Output Running::wait()
{
    const int status = process_->wait();
    ended_ = true;
    return process_->output(status);
}

Output execute(const Invocation& invocation)
{
    const Process process(invocation, false);
    return process.output(process.wait());
}

std::string must_execute(const Invocation& invocation)
{
    Output output = execute(invocation);
    if (output.status == 0)
        return output.out;
    std::string line;
    for (const std::string& word : invocation.argv)
        line += word + ' ';
    throw std::runtime_error(line + "ended with " + std::to_string(output.status) + ": " + output.out + output.err);
}

Output execute_traced(const Invocation& invocation, const std::function<bool(const SystemCall&)>& look)
{
    const Process process(invocation, true);
    int status = process.wait();
    if (!WIFSTOPPED(status))
        return process.output(status);
    ptrace(PTRACE_SETOPTIONS, process.pid(), nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);

    int signal = 0;
    while (ptrace(PTRACE_SYSCALL, process.pid(), nullptr, signal) == 0) {
        status = process.wait();
        if (!WIFSTOPPED(status))
            return process.output(status);
        signal = WSTOPSIG(status);
        if (signal != (SIGTRAP | 0x80))
            continue;  // a signal of its own: handed on
        signal = 0;
        __ptrace_syscall_info info{};
        ptrace(PTRACE_GET_SYSCALL_INFO, process.pid(), sizeof(info), &info);
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
            continue;
        SystemCall call{info.entry.nr, {}};
        std::copy(std::begin(info.entry.args), std::end(info.entry.args), std::begin(call.arguments));
        if (!look(call))
            ::kill(process.pid(), SIGKILL);
    }
    return process.output(process.wait());
}

std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool leaves_traces(const SystemCall& call)
{
    static const std::set<unsigned long> changing{
        SYS_write, SYS_sendto, SYS_sendmsg, SYS_mount,  SYS_unlinkat, SYS_linkat, SYS_renameat2, SYS_mkdirat,
#ifdef SYS_mkdir  // x86-64's older forms
        SYS_mkdir, SYS_unlink, SYS_rmdir,   SYS_rename, SYS_renameat,
#endif
    };
    // They only look, or what they make is gone with its descriptor.
    static const std::set<unsigned long> traceless_bpf{
        BPF_MAP_CREATE,       BPF_MAP_LOOKUP_ELEM,  BPF_MAP_GET_NEXT_KEY,  BPF_MAP_LOOKUP_BATCH,
        BPF_PROG_LOAD,        BPF_BTF_LOAD,         BPF_OBJ_GET,           BPF_PROG_GET_NEXT_ID,
        BPF_MAP_GET_NEXT_ID,  BPF_BTF_GET_NEXT_ID,  BPF_LINK_GET_NEXT_ID,  BPF_PROG_GET_FD_BY_ID,
        BPF_MAP_GET_FD_BY_ID, BPF_BTF_GET_FD_BY_ID, BPF_LINK_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD,
        BPF_PROG_QUERY,       BPF_PROG_TEST_RUN,
    };
    if (call.number == SYS_bpf)
        return !traceless_bpf.contains(call.arguments[0]);
    if (call.number == SYS_openat)
        return (call.arguments[2] & (O_CREAT | O_TRUNC)) != 0;
    return changing.contains(call.number);
}

}  // namespace sallyport::test
