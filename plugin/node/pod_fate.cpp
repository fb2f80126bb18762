// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "pod_fate.hpp"

#include "sallyport/os/netns.hpp"

namespace sallyport {

Fate fate_of(const std::filesystem::path& netns, const NetnsIdentity& identity)
{
    if (netns.native().starts_with("/proc/"))
        return Fate::elsewhere;
    if (const auto found = identify_netns(netns))
        return *found == identity ? Fate::lives : Fate::gone;
    std::error_code error;
    const bool file_there = std::filesystem::exists(netns, error);
    if (error)
        return Fate::hidden;
    const bool directory_there = std::filesystem::is_directory(netns.parent_path(), error);
    return !file_there && directory_there ? Fate::gone : Fate::hidden;
}

PodFates::PodFates(const std::vector<BoundPod>& pods)
{
    for (const BoundPod& pod : pods) {
        const Fate fate = pod.gone ? Fate::gone : fate_of(pod.netns, pod.netns_identity);
        any_gone_ = any_gone_ || fate == Fate::gone;
        if (fate == Fate::hidden || fate == Fate::elsewhere)
            untold_[pod.netns] = pod.netns_identity;
        if (fate == Fate::hidden)
            hidden_ = pod.netns;
    }
}

std::optional<NetnsIdentity> PodFates::identify(const std::filesystem::path& path) const
{
    const auto untold = untold_.find(path);
    return untold == untold_.end() ? identify_netns(path) : untold->second;
}

std::string PodFates::shortfall() const
{
    if (hidden_.empty())
        return "";
    return hidden_ +
           " is no network namespace here, though it may be one on the node: no pod there can be adopted, nor told "
           "from one whose runtime left its namespace behind; mount its directory into the agent's pod, at the same "
           "path and with `mountPropagation: HostToContainer`";
}

}  // namespace sallyport
