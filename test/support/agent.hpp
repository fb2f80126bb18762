// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport agent` on a Node, and the ConfigMap that it follows.
#pragma once

#include "support/node.hpp"
#include "support/subprocess.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace sallyport::test {

/// Asks until it is so; false where `patience` runs out first.
bool eventually(const std::function<bool()>& is_so);

/// A volume of a ConfigMap, as kubelet makes and replaces it: `config.json` leads to `..data/config.json`, and `..data`
/// to a directory of its own for each state.
class ConfigVolume
{
public:
    explicit ConfigVolume(const std::filesystem::path& directory) : directory_(directory) {}

    std::filesystem::path file() const { return directory_ / "config.json"; }

    /// All of it in one step.
    void replace(const std::string& text);

    /// As somebody does it who has a plain file.
    void rewrite(const std::string& text) const;

private:
    std::filesystem::path directory_;
    unsigned states_ = 0;
};

/// What a process costs.
struct Cost
{
    std::size_t resident_kib = 0;
    std::chrono::milliseconds cpu{0};
    std::size_t descriptors = 0;
};

class Agent
{
public:
    /// Follows a volume with the node's own `plugin`; begins with it, unless there is a `text`.
    explicit Agent(const Node& node, const std::vector<std::string>& more_arguments = {}, const std::string& text = "",
                   const std::string& binary = sallyport_binary());

    ConfigVolume config;

    /// What it has said so far.
    std::string log() const;

    /// Has it, or will it before `patience` runs out?
    bool says(const std::string& text) const;

    /// It has looked at everything once, with a configuration that is in force.
    void wait_until_begun() const;

    Cost cost() const;

    void kill() const { process_.signal(9); }

    /// SIGTERM, and how it ended.
    Output end();

private:
    Running process_;
};

}  // namespace sallyport::test
