// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node tool as it runs beside a test: what it has printed so far, and what a terminal would get.
#pragma once

#include "support/content.hpp"
#include "support/node.hpp"
#include "support/sandbox.hpp"
#include "support/subprocess.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

namespace sallyport::test {

/// `sallyport <words>` on the node, as a shell's word list.
inline std::string tool_command(const Node& node, const std::string& words)
{
    return sallyport_binary() + " " + words + " --bpffs " + node.bpffs().string();
}

/// A command line of a shell in the node's namespace.
inline Output shell(const Node& node, const std::string& line)
{
    return execute({.argv = {"bash", "-o", "pipefail", "-c", line}, .netns = &node.host});
}

/// A tool that goes on until it is stopped; it writes into a file.
class Follower
{
public:
    Follower(const Node& node, const std::string& words)
        : file_(sandbox_directory() / ("output-" + std::to_string(next_number()))),
          process_(
              {.argv = {"sh", "-c", "exec " + tool_command(node, words) + " >" + file_.string()}, .netns = &node.host})
    {}

    std::string text() const { return content(file_); }

    std::size_t count(const std::string& words) const
    {
        const std::string all = text();
        std::size_t found = 0;
        for (auto at = all.find(words); at != std::string::npos; at = all.find(words, at + 1))
            found++;
        return found;
    }

    /// Waits until it has printed these words that often, or `patience` is over.
    bool prints(const std::string& words, std::size_t times = 1) const
    {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (count(words) < times && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return count(words) >= times;
    }

    Output stop(int signal)
    {
        process_.signal(signal);
        return process_.wait();
    }

private:
    std::filesystem::path file_;
    Running process_;
};

}  // namespace sallyport::test
