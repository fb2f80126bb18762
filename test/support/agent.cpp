// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/agent.hpp"

#include "support/sandbox.hpp"
#include "support/sockets.hpp"

#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace sallyport::test {
namespace {

std::string read(const std::filesystem::path& path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
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

Invocation invocation(const Node& node, const ConfigVolume& config, const std::vector<std::string>& more,
                      const std::string& binary)
{
    Invocation agent{.argv = {binary, "agent", "--config", config.file().string()}, .netns = &node.host};
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

Agent::Agent(const Node& node, const std::vector<std::string>& more_arguments, const std::string& text,
             const std::string& binary)
    : config(filled(node, text)),
      process_(invocation(node, config, more_arguments, binary))
{}

std::string Agent::log() const
{
    return read("/proc/" + std::to_string(process_.pid()) + "/fd/2");
}

bool Agent::says(const std::string& text) const
{
    return eventually([&] { return log().find(text) != std::string::npos; });
}

void Agent::wait_until_begun() const
{
    if (!says("this configuration is in force now"))
        throw std::runtime_error("the agent doesn't begin: " + log());
}

Cost Agent::cost() const
{
    const std::filesystem::path proc = "/proc/" + std::to_string(process_.pid());
    Cost cost;
    std::istringstream status(read(proc / "status"));
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            cost.resident_kib = std::stoul(line.substr(6));
    std::string stat = read(proc / "stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
    const long ticks = std::stol(values.at(11)) + std::stol(values.at(12));  // utime, stime
    cost.cpu = std::chrono::milliseconds(ticks * 1000 / sysconf(_SC_CLK_TCK));
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(proc / "fd"))
        cost.descriptors++;
    return cost;
}

Output Agent::end()
{
    process_.signal(SIGTERM);
    return process_.wait();
}

}  // namespace sallyport::test
