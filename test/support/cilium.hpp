// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for Cilium on a Node: the programs of bpf/cilium.bpf.c where Cilium attaches its own, and what its agent
// does when it starts. Not a test of Cilium; it has the habits that others must live with (see bpf/cilium.bpf.c).
#pragma once

#include "support/chain.hpp"
#include "support/node.hpp"
#include "support/sockets.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct cilium;

namespace sallyport::test {

class Cilium
{
public:
    enum class Mode {
        tcx,     ///< links at the tail of the chains
        legacy,  ///< tc filters of handle 1, and priority 1
        late,    ///< the same of priority 50 (`--bpf-filter-priority`)
    };

    /// The agent's start on a node with these outside devices.
    Cilium(Node& node, Mode mode, std::vector<std::string> devices = {"eth0"});
    Cilium(const Cilium&) = delete;
    Cilium& operator=(const Cilium&) = delete;
    ~Cilium();

    /// A container port that the pod's policy opens to the world.
    struct Port
    {
        std::uint16_t number = 0;
        int protocol = IPPROTO_TCP;
    };

    /// What cilium-cni does for a pod, before the next plugin is called.
    void connect(const Pod& pod, const std::vector<Port>& allowed);

    /// The agent ends and starts again: the programs run on meanwhile, and are then replaced in place. In tcx mode it
    /// removes all tc filters of its devices, whoever made them.
    void restart();

    /// An agent that takes its filters away and adds them anew (legacy mode).
    void reattach();

    /// Packets dropped: "invalid source", "policy denied", "fragment unknown".
    std::uint64_t drops(const std::string& reason) const;

private:
    struct Hook;
    struct Destroy
    {
        void operator()(cilium* object) const noexcept;
    };
    using Object = std::unique_ptr<cilium, Destroy>;

    static Object load(const cilium* older);
    void attach(const std::string& device, bool ingress, const char* program);
    void attach_filter(const Hook& hook, unsigned flags) const;
    unsigned priority() const { return mode_ == Mode::late ? 50 : 1; }

    Node& node_;
    Mode mode_;
    Object object_;
    std::vector<Hook> hooks_;
};

}  // namespace sallyport::test
