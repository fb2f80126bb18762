// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods that were refused, on their way from the plugin's short-lived calls to the agent, which tells the cluster: a
// file a pod in `<stateDir>/refusals`. Gone with the next boot, as the pods are.
#pragma once

#include "sallyport/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace sallyport {

struct Refusal
{
    std::string pod_namespace;
    std::string pod_name;
    std::string pod_uid;  ///< "": not known
    std::string message;  ///< as the runtime was told

    auto operator<=>(const Refusal&) const = default;
};

std::filesystem::path refusals_in(const std::filesystem::path& state_dir);

/// Is it the pod's own fault, or a conflict? Of what falls short on the node, and passes, nobody is told.
bool is_refusal(Code code);

/// Replaces what was noted of that pod. A refusal that can't be noted is lost, and so is one of a pod outside
/// Kubernetes, and whatever is more than 64 where no agent takes them.
void note_refusal(const std::filesystem::path& state_dir, const Refusal& refusal) noexcept;

/// What was noted since the last call. Throws Error where the directory can't be read.
std::vector<Refusal> take_refusals(const std::filesystem::path& state_dir);

/// Whatever was noted, and the directory.
void forget_refusals(const std::filesystem::path& state_dir) noexcept;

}  // namespace sallyport
