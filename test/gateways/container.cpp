// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "gateways/container.hpp"

#include "gateways/clients.hpp"
#include "support/content.hpp"

#include <sys/wait.h>

#include <csignal>
#include <stdexcept>
#include <thread>

namespace sallyport::test {
namespace {

constexpr std::chrono::milliseconds look_again{20};

Invocation invocation(const Node& node, const Pod& pod, const Server& server)
{
    const std::filesystem::path directory = node.directory() / ("server-of-" + pod.netns.name());
    std::filesystem::create_directories(directory);
    Invocation invocation{
        .argv = {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--wd", directory.string()},
        .environment = {"PATH=" + servers_path(), "HOME=" + directory.string(), "LC_ALL=C.UTF-8"},
        .netns = &pod.netns};
    const std::vector<std::string> command = server.prepare(directory, pod.spec().name);
    invocation.argv.insert(invocation.argv.end(), command.begin(), command.end());
    return invocation;
}

bool has_ended(pid_t pid)
{
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/// The only child of unshare(1).
pid_t child_of(pid_t parent)
{
    const std::string number = std::to_string(parent);
    const std::string children = content("/proc/" + number + "/task/" + number + "/children");
    return children.empty() ? 0 : std::stoi(children);
}

}  // namespace

Container::Container(const Node& node, const Pod& pod, const Server& server)
    : process_(invocation(node, pod, server)),
      stop_signal_(server.stop_signal)
{
    const auto end = std::chrono::steady_clock::now() + 3 * patience;
    while (first_request(node.host, {pod.v4, 9080}) != "") {
        if (has_ended(process_.pid()) || std::chrono::steady_clock::now() > end)
            throw std::runtime_error(server.name + " doesn't answer: " + process_.errors());
        std::this_thread::sleep_for(look_again);
    }
}

void Container::end(std::chrono::milliseconds grace)
{
    kill(child_of(process_.pid()), stop_signal_);
    const auto limit = std::chrono::steady_clock::now() + grace;
    while (!has_ended(process_.pid()) && std::chrono::steady_clock::now() < limit)
        std::this_thread::sleep_for(look_again);
    process_.signal(SIGKILL);
    process_.wait();
}

}  // namespace sallyport::test
