// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who gets how much of the tables. Exposures take a permission (`gateways`), remaps none: so these have a share of the
// room, of which each namespace has its own, and gateways always have the rest.
#pragma once

#include "sallyport/abi.h"

#include <cstddef>
#include <string>
#include <vector>

namespace sallyport {

/// Ports that pods remap, of all pods and of one namespace's. A port of a pod with IPv4 and IPv6 counts twice.
inline constexpr std::size_t room_for_remaps = std::size_t{abi::MAX_NODE_PORTS} / 4 * 3;
inline constexpr std::size_t room_of_a_namespace = room_for_remaps / 3;

/// Pods that only remap.
inline constexpr std::size_t room_for_remapping_pods = std::size_t{abi::MAX_PODS} / 4 * 3;

/// What one pod holds.
struct PodShare
{
    std::string pod_namespace;
    std::string pod;  ///< `namespace/name`
    std::size_t remaps = 0;
    std::size_t exposures = 0;
};

/// Throws Error(try_again_later) where `remaps` more of that namespace's don't fit beside what the others hold; the
/// message says who.
void refuse_without_room(const std::string& pod_namespace, std::size_t remaps, const std::vector<PodShare>& others);

/// The three that hold most: "tenants/a (2048), tenants/b (2048), apisix/gateway (4)".
std::string largest_of(std::vector<PodShare> pods);

}  // namespace sallyport
