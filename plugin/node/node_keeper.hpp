// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the agent does with our state in the kernel: keeps it in step with the node, and removes what nobody else will.
// Never makes any: on a node without gateway pods nothing is pinned, and all of this costs a look at a directory. Each
// function throws Error for what went wrong, having gone on with the rest; try_again_later where somebody has the lock.
#pragma once

#include "sallyport/config.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/follow.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace sallyport {

class NodeKeeper
{
public:
    /// From now on. Nothing below may be called before.
    void use(const Config& config) { config_ = config; }

    /// Makes everything what it should be on this node now: programs of this binary, the node's addresses, its outside
    /// devices with ours before all others, its cgroups.
    void follow();

    /// Is it so? Looks at what nobody tells about. Where not, follow() is needed.
    bool is_sound() const;

    /// Releases what pods hold that are gone without DEL, and node ports that waited in vain for another pod.
    void forget_the_past();

    /// Sees who listens, so that a settle time begins when the pod listens and not with its first client, and the pods
    /// of this node, which can't ask, choose as everybody else does.
    void note_listeners() const;

    /// What others serve at node ports for others than the pods there, and get no more of, in words; "" for nothing.
    /// Whoever came before is why ADD refuses; this is about later ones.
    std::string served_by_others() const;

    /// What falls short of the configuration since the last follow(), in words; "" where nothing does.
    const std::string& shortfall() const { return shortfall_; }

    /// The same of forget_the_past().
    const std::string& hidden_pods() const { return hidden_pods_; }

    /// Programs that follow() found missing or behind others where it had put them, and put back.
    std::uint64_t reattached() const { return reattached_; }

private:
    void follow(Datapath& datapath, const Surroundings& node);
    void count_lost(const std::vector<Device>& devices);
    bool stays(const Device& device) const;

    Config config_;
    std::optional<NodeNetwork> network_;                             ///< as of the last follow()
    std::set<int> followed_;                                         ///< devices that it attached to, by ifindex
    std::map<int, std::chrono::steady_clock::time_point> departed_;  ///< those of may_return(), by ifindex: since when
    std::string shortfall_;
    std::string hidden_pods_;
    std::uint64_t reattached_ = 0;
};

}  // namespace sallyport
