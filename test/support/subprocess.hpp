// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs a program in a given network namespace, and hands back what it wrote: to its end, beside the test, or killed at
// a chosen system call.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

class Namespace;

struct Invocation
{
    std::vector<std::string> argv{};         ///< the first one is looked for in the PATH of `environment`
    std::vector<std::string> environment{};  ///< `NAME=value`; ours where empty
    std::string input{};                     ///< its stdin
    const Namespace* netns = nullptr;
};

struct Output
{
    int status = 0;  ///< 128 + the signal's number where it was killed
    std::string out;
    std::string err;
};

/// The file that a shell with this PATH would run for `name`; "" where there is none. A name with a slash is the file.
std::string find_program(const std::string& name, const std::string& path);

/// Here as below: std::runtime_error where the program isn't in the PATH that it would get.
Output execute(const Invocation& invocation);

/// As `execute`; throws std::runtime_error with the program's stderr where it fails. Returns its stdout.
std::string must_execute(const Invocation& invocation);

/// A program that runs beside the test.
class Running
{
public:
    explicit Running(const Invocation& invocation);
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running();  ///< kills it, if it still runs

    pid_t pid() const;
    void signal(int number) const;

    /// What it has written to stderr so far.
    std::string errors() const;

    /// Waits until it has ended by itself.
    Output wait();

private:
    std::unique_ptr<class Process> process_;
    bool ended_ = false;
};

/// A system call as it is entered.
struct SystemCall
{
    unsigned long number = 0;
    unsigned long arguments[6] = {};
};

/// As `execute`, with `look` called at every system call that the program enters. Where it returns false, the program
/// is killed (SIGKILL) before the call takes effect.
Output execute_traced(const Invocation& invocation, const std::function<bool(const SystemCall&)>& look);

/// Of this process.
std::size_t open_descriptors();

/// True for calls that change, or may change, what is left behind by a process that is killed: files, netlink, what
/// bpf() does to tables, pins and attachments. Locks and whatever else goes with a descriptor are gone with the
/// process, in the middle or not.
bool leaves_traces(const SystemCall& call);

}  // namespace sallyport::test
