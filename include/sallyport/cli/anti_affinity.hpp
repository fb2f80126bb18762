// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What tells Kubernetes' scheduler about node ports: a label on the pod for each that it takes, with its namespace, and
// an anti-affinity to pods that bear it with another. Not by a namespaceSelector: one that says NotIn selects every
// namespace for a scheduler of Kubernetes 1.34 or 1.35, and a rolling update would never land beside its old pod.
#pragma once

#include "sallyport/annotation.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

struct Workload
{
    std::string kind;  ///< of apps/v1: Deployment, DaemonSet, StatefulSet
    std::string name;
};

/// Reads `Deployment/apisix`, the kind in upper or lower case. nullopt for anything else.
std::optional<Workload> parse_workload(std::string_view text);

/// Can it be the name of a namespace (RFC 1123)?
bool is_namespace_name(std::string_view text);

/// YAML that adds labels and anti-affinity to a workload's pod template: for `kubectl patch`, and where the workload is
/// named a strategic merge patch for kustomize. A node port that several items name stands in it once, whatever their
/// addresses.
std::string anti_affinity_patch(const std::vector<Wish>& expose, const std::string& pod_namespace,
                                const std::optional<Workload>& workload);

}  // namespace sallyport
