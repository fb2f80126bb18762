// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Our programs on a pod's device: two on its own end, inside its namespace, and with the fast path one on the host's.
// They go with the pod's binding: pinned under its generation, they are taken away once that isn't bound any more,
// however it came to that.
#pragma once

#include "hook.hpp"
#include "programs.hpp"
#include "state_dir.hpp"

#include "sallyport/bindings.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace sallyport {

class PodHooks
{
public:
    explicit PodHooks(StateDir state) : state_(std::move(state)) {}

    enum class End { pod, host };

    /// Makes what is attached there for one generation of a pod the next one's: the kernel takes no program twice at
    /// one place.
    void hand_on(End end, std::uint64_t generation, std::uint64_t next) const;

    /// Throws Error(node_lacks); what was attached by then is taken away by forget_others().
    void attach(const Netns& netns, const std::string& ifname, std::uint64_t generation) const;

    /// Where ours, of any build, should run there and don't, or not before all others; in words.
    std::vector<std::string> missing(const Netns& netns, const std::string& ifname, std::uint64_t generation) const;

    /// The same for the host's end. The caller has seen to it that the kernel has tcx.
    void attach_uplink(const Device& host_end, std::uint64_t generation) const;
    std::vector<std::string> missing_uplink(const Device& host_end, std::uint64_t generation) const;

    /// Makes all pods' devices run the programs that are pinned now, traffic flowing. Goes on past pods that can't be
    /// reached.
    void update(const std::vector<BoundPod>& pods) const;

    /// Leaves the devices of all pods but these generations. `known` says where pods are or were: a link is detached
    /// from anywhere, a filter only in the pod's namespace; where that is gone, so is the filter.
    void forget_others(const std::set<std::uint64_t>& generations, const std::vector<BoundPod>& known) const;

    bool any() const;

    /// Is any attached by a filter?
    bool has_filters() const;

private:
    struct Pin;
    std::vector<Pin> pins() const;
    Hook hook(int ifindex, const Pin& pin) const;
    std::filesystem::path path_of_program(const Pin& pin) const;
    UniqueFd pinned_program(const Pin& pin) const;
    void note_missing(int ifindex, const Pin& pin, const std::string& where, std::vector<std::string>& missing) const;
    void update(const Pin& pin, const std::vector<BoundPod>& pods) const;

    StateDir state_;
};

}  // namespace sallyport
