// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport agent` on a Node, and the ConfigMap that it follows.
#pragma once

#include "support/node.hpp"
#include "support/subprocess.hpp"
#include "support/web.hpp"

#include <sys/resource.h>

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
    std::size_t descriptors = 0;  ///< the fewest of some looks: its tasks open more for a moment
};

/// "CPU 10 ms in 5000 ms, resident 3720 KiB, 10 descriptors"
std::string in_words(const Cost& before, const Cost& after, std::chrono::milliseconds between);

/// Where agents of that node put the plugin, and where they look for networks.
std::filesystem::path cni_bin_dir(const Node& node);
std::filesystem::path cni_conf_dir(const Node& node);

/// Those two as arguments, of `agent`, `install` and `uninstall`.
std::vector<std::string> directory_arguments(const Node& node);

class Agent
{
public:
    /// Follows a volume with the node's own `plugin`; begins with it, unless there is a `text`. There is no runtime for
    /// it to ask, unless `cri_socket` names one. Serves HTTP on port 9465 of the node. `more`: further arguments.
    explicit Agent(const Node& node, const std::string& text = "", const std::string& binary = sallyport_binary(),
                   const std::string& cri_socket = "off", const std::vector<std::string>& more = {});

    ConfigVolume config;

    /// What it has said so far.
    std::string log() const;

    /// Has it, or will it before `patience` runs out?
    bool says(const std::string& text) const;

    /// It has looked at everything once, with a configuration that is in force.
    void wait_until_begun() const;

    /// From the node itself; status 0 where nobody answers.
    HttpAnswer get(const std::string& path) const;

    bool says_of_itself(const std::string& text) const;  ///< in /status.json

    /// Is, or will be, the answer to /readyz this status, and does its body contain the text?
    bool readiness_is(int status, const std::string& text = "") const;

    Cost cost() const;

    /// From now on its descriptors' numbers stay below this one.
    void limit_descriptors(rlim_t end) const;

    void kill() const { process_.signal(9); }

    void terminate() const;  ///< SIGTERM
    Output wait() { return process_.wait(); }

    /// Both.
    Output end();

private:
    const Node& node_;
    Running process_;
};

}  // namespace sallyport::test
