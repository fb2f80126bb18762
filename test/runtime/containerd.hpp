// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The real containerd and runc on a node in miniature. Its directories, sockets, namespaces and cgroups are in the
// sandbox; its chain is a primary plugin, and maybe we.
#pragma once

#include "kubelet.hpp"
#include "primary.hpp"

#include "sallyport/adoption.hpp"
#include "sallyport/cri.hpp"
#include "support/local_node.hpp"
#include "support/subprocess.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

enum class Release {
    of_this_system,  ///< what is installed, or .ci/setup has unpacked
    two,             ///< containerd 2.1 or later, where .ci/setup found one
};

class Containerd
{
public:
    /// Starts it, with a chain in which we stand or not. Skips the test where there is none.
    Containerd(LocalNode& node, bool with_us, Release release = Release::of_this_system);
    Containerd(LocalNode& node, bool with_us, PrimaryPlugin primary, Release release = Release::of_this_system);
    Containerd(const Containerd&) = delete;
    Containerd& operator=(const Containerd&) = delete;
    ~Containerd();

    CriClient client() const { return CriClient(socket_, std::chrono::seconds(30)); }

    // Calls of a kubelet; they throw Error with what the runtime says. run() returns the sandbox's id.
    std::string run(const PodRequest& pod = {}) const { return kubelet_.run(pod); }
    void stop(const std::string& id) const { kubelet_.stop(id); }
    void remove(const std::string& id) const { kubelet_.remove(id); }

    /// Puts the list there.
    void write_chain(bool with_us) const;

    /// And waits until it is in force.
    void set_chain(bool with_us) const;

    /// Is our entry in the chain that is in force? Asked until the answer is `expected`, or for `patience`.
    bool has_us(bool expected) const;

    /// What the agent does with the pods that are there.
    std::vector<AdoptionResult> adopt() const;

    /// `kill -9`, and starts it anew; what it has started goes on.
    void restart();

    const std::filesystem::path& directory() const { return directory_; }  ///< `bin` there has the plugins
    const std::filesystem::path& conf_dir() const { return conf_dir_; }
    const std::filesystem::path& socket() const { return socket_; }
    const std::string& path() const { return path_; }  ///< where it finds its programs
    std::string log() const;

private:
    std::string configuration(Release release) const;
    void start();
    void import_image() const;
    bool knows_image() const;  ///< asked until it is so, or for `patience`

    LocalNode& node_;
    PrimaryPlugin primary_;
    std::filesystem::path directory_;
    std::filesystem::path conf_dir_;
    std::filesystem::path socket_;
    Kubelet kubelet_;
    std::string path_;
    std::unique_ptr<Running> process_;
};

}  // namespace sallyport::test
