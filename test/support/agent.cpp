// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/agent.hpp"

#include "support/content.hpp"
#include "support/sandbox.hpp"
#include "support/sockets.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace sallyport::test {
namespace {

std::size_t open_descriptors(const std::filesystem::path& proc)
{
    const std::filesystem::directory_iterator all(proc / "fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::filesystem::path volume_of(const Node& node)
{
    return node.directory() / ("config-" + std::to_string(next_number()));
}

ConfigVolume filled(const Node& node, const std::string& text)
{
    ConfigVolume volume(volume_of(node));
    volume.replace(text.empty() ? node.plugin.dump(2) : text);
    return volume;
}

Invocation invocation(const Node& node, const ConfigVolume& config, const std::string& binary,
                      const std::string& cri_socket, const std::vector<std::string>& more)
{
    Invocation agent{.argv = {binary, "agent", "--config", config.file().string(), "--cri-socket", cri_socket},
                     .netns = &node.host};
    for (const std::string& word : directory_arguments(node))
        agent.argv.push_back(word);
    agent.argv.insert(agent.argv.end(), more.begin(), more.end());
    return agent;
}

}  // namespace

bool eventually(const std::function<bool()>& is_so)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

void ConfigVolume::replace(const std::string& text)
{
    const std::string state = "..state-" + std::to_string(++states_);
    std::filesystem::create_directories(directory_ / state);
    std::ofstream(directory_ / state / "config.json") << text;
    std::filesystem::create_symlink(state, directory_ / "..data_tmp");
    std::filesystem::rename(directory_ / "..data_tmp", directory_ / "..data");
    if (!std::filesystem::is_symlink(file()))
        std::filesystem::create_symlink("..data/config.json", file());
    if (states_ > 1)
        std::filesystem::remove_all(directory_ / ("..state-" + std::to_string(states_ - 1)));
}

void ConfigVolume::rewrite(const std::string& text) const
{
    if (std::filesystem::is_symlink(file()))
        std::filesystem::remove(file());
    std::ofstream(file()) << text;
}

std::string in_words(const Cost& before, const Cost& after, std::chrono::milliseconds between)
{
    return "CPU " + std::to_string((after.cpu - before.cpu).count()) + " ms in " + std::to_string(between.count()) +
           " ms, resident " + std::to_string(after.resident_kib) + " KiB, " + std::to_string(after.descriptors) +
           " descriptors";
}

std::filesystem::path cni_bin_dir(const Node& node)
{
    return node.directory() / "cni-bin";
}

std::filesystem::path cni_conf_dir(const Node& node)
{
    return node.directory() / "net.d";
}

std::vector<std::string> directory_arguments(const Node& node)
{
    std::filesystem::create_directories(cni_bin_dir(node));
    std::filesystem::create_directories(cni_conf_dir(node));
    return {"--cni-bin-dir", cni_bin_dir(node).string(), "--cni-conf-dir", cni_conf_dir(node).string()};
}

Agent::Agent(const Node& node, const std::string& text, const std::string& binary, const std::string& cri_socket,
             const std::vector<std::string>& more)
    : config(filled(node, text)),
      node_(node),
      process_(invocation(node, config, binary, cri_socket, more))
{}

std::string Agent::log() const
{
    return process_.errors();
}

bool Agent::says(const std::string& text) const
{
    return eventually([&] { return log().find(text) != std::string::npos; });
}

bool Agent::says_of_itself(const std::string& text) const
{
    return get("/status.json").body.find(text) != std::string::npos;
}

void Agent::wait_until_begun() const
{
    const auto has_begun = [this] {
        const HttpAnswer answer = get("/readyz");
        return answer.status != 0 && answer.body.find("for the first time") == std::string::npos;
    };
    if (!says("this configuration is in force now") || !eventually(has_begun))
        throw std::runtime_error("the agent doesn't begin: " + log());
}

HttpAnswer Agent::get(const std::string& path) const
{
    try {
        return exchange(node_.host, {"127.0.0.1", 9465},
                        "GET " + path + " HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
    } catch (const std::system_error&) {
        return {};
    }
}

bool Agent::readiness_is(int status, const std::string& text) const
{
    return eventually([&] {
        const HttpAnswer answer = get("/readyz");
        return answer.status == status && answer.body.find(text) != std::string::npos;
    });
}

Cost Agent::cost() const
{
    const std::filesystem::path proc = "/proc/" + std::to_string(process_.pid());
    Cost cost;
    std::istringstream status(content(proc / "status"));
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            cost.resident_kib = std::stoul(line.substr(6));
    std::string stat = content(proc / "stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
    const long ticks = std::stol(values.at(11)) + std::stol(values.at(12));  // utime, stime
    cost.cpu = std::chrono::milliseconds(ticks * 1000 / sysconf(_SC_CLK_TCK));
    cost.descriptors = open_descriptors(proc);
    for (int look = 0; look < 20; look++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        cost.descriptors = std::min(cost.descriptors, open_descriptors(proc));
    }
    return cost;
}

void Agent::limit_descriptors(rlim_t end) const
{
    rlimit limit{};
    bool done = prlimit(process_.pid(), RLIMIT_NOFILE, nullptr, &limit) == 0;
    limit.rlim_cur = end;
    done = done && prlimit(process_.pid(), RLIMIT_NOFILE, &limit, nullptr) == 0;
    if (!done)
        throw std::system_error(errno, std::generic_category(), "limit the agent's descriptors");
}

void Agent::terminate() const
{
    process_.signal(SIGTERM);
}

Output Agent::end()
{
    terminate();
    return wait();
}

}  // namespace sallyport::test
