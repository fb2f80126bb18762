// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The real CRI-O on a node in miniature: the one that SALLYPORT_CRIO names. It may be killed and started anew, as often
// as a test likes; its pods go on. Its directories, sockets, namespaces and cgroups are in the sandbox.
#pragma once

#include "kubelet.hpp"

#include "sallyport/cri.hpp"
#include "support/local_node.hpp"
#include "support/subprocess.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace sallyport::test {

class Crio
{
public:
    /// Starts it, with a chain in which we stand. Skips the test where there is none, or one of its programs is
    /// missing.
    explicit Crio(LocalNode& node);
    Crio(const Crio&) = delete;
    Crio& operator=(const Crio&) = delete;
    ~Crio();

    CriClient client() const { return CriClient(socket_, std::chrono::seconds(30)); }
    const Kubelet& kubelet() const { return kubelet_; }

    /// A sandbox, and the gateway in it: CRI-O's sandboxes have no process. Returns the sandbox's id.
    std::string run(const PodRequest& pod = {}) const;
    void stop_and_remove(const std::string& sandbox) const;

    /// `kill -9`, and nothing else ends.
    void kill();

    /// Starts it, and waits until it answers and calls its network ready.
    void start();

    /// The list with our entry as `node.plugin` is now. CRI-O looks at its directory by itself, and when it starts.
    void write_list() const;

    /// The list's version: 1.1.0, with which STATUS and GC are called, where the plugins know it; else 1.0.0.
    const std::string& list_version() const { return list_version_; }

    /// The latest lines.
    std::string log() const;

private:
    std::string configuration() const;
    void import_image() const;
    bool network_ready() const;

    LocalNode& node_;
    std::filesystem::path directory_;
    std::filesystem::path conf_dir_;
    std::filesystem::path socket_;
    Kubelet kubelet_;
    std::string path_;
    std::string list_version_;
    std::unique_ptr<Running> process_;
};

}  // namespace sallyport::test
