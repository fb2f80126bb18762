// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pods are gone, as far as the agent can tell. Of most the kernel tells; a namespace that its runtime has given
// up, and something still holds, is told by its path. The agent runs in a container: where the node's namespaces aren't
// mounted into it as they come and go, a pod that lives looks like one that is gone, and to release its ports would be
// the end of its traffic. So a pod counts as gone only where that is certain.
#pragma once

#include "sallyport/bindings.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

enum class Fate {
    lives,
    gone,
    hidden,     ///< a file without the namespace, or not even its directory: mounted on the node, and not here
    elsewhere,  ///< a path below /proc, which means something else in another pid namespace; nothing follows
};

Fate fate_of(const std::filesystem::path& netns, const NetnsIdentity& identity);

class PodFates
{
public:
    explicit PodFates(const std::vector<BoundPod>& pods);

    bool any_gone() const { return any_gone_; }

    /// As identify_netns(), where that can be told; else what the pod was bound with.
    std::optional<NetnsIdentity> identify(const std::filesystem::path& path) const;

    /// In words, where a pod's namespace is hidden; else "".
    std::string shortfall() const;

private:
    bool any_gone_ = false;
    std::map<std::filesystem::path, NetnsIdentity> untold_;
    std::string hidden_;  ///< the path of one
};

}  // namespace sallyport
