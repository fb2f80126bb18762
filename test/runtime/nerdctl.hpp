// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The real nerdctl, the one that SALLYPORT_NERDCTL names, on a node with a containerd 2: containers whose published
// ports are ours to serve. Its state, networks and logs are in the sandbox.
#pragma once

#include "containerd.hpp"

#include "support/local_node.hpp"
#include "support/subprocess.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::test {

class Nerdctl
{
public:
    /// Skips the test where there is none. No network has been made yet.
    explicit Nerdctl(LocalNode& node);
    Nerdctl(const Nerdctl&) = delete;
    Nerdctl& operator=(const Nerdctl&) = delete;

    /// `nerdctl <words>`
    Output call(std::vector<std::string> words) const;

    /// The same, which must succeed; returns what it prints, without its last line's end.
    std::string must(std::vector<std::string> words) const;

    /// `nerdctl run -d` of the gateway, under this name, with further words of `nerdctl run`.
    Output run(const std::string& name, std::vector<std::string> words) const;
    void must_run(const std::string& name, std::vector<std::string> words) const;

    /// With this node's places in our entry, which the list that users copy leaves out.
    void write_list(const Json& list) const { write(list_file(), list); }

    /// In a list that nerdctl has made; returns its new text.
    std::string replace_portmap(const std::filesystem::path& file) const;
    std::filesystem::path list_file() const { return netconf_dir_ / "nerdctl-bridge.conflist"; }

    Containerd& containerd() { return containerd_; }

private:
    void write(const std::filesystem::path& file, Json list) const;

    LocalNode& node_;
    Containerd containerd_;
    std::filesystem::path binary_;
    std::filesystem::path netconf_dir_;
};

}  // namespace sallyport::test
