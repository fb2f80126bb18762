// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a pod asks for: its `sallyport.dev/` annotations and `hostPort`s, parsed. Whether it may have it is decided in
// policy.hpp.
#pragma once

#include "sallyport/config.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// Most items in one pod's `expose` and `remap` together: the ADD of a pod stays bounded, and so does its part of the
/// kernel's tables.
inline constexpr std::size_t max_exposures_of_a_pod = 1024;

/// `settle` where a pod doesn't say. It closes the gap of a gateway that tests its configuration with the port open
/// (nginx -t: a millisecond) before it starts, and of a moment's pause between the two.
inline constexpr std::chrono::milliseconds default_settle{200};

/// Longest `settle` and `hold`.
inline constexpr std::chrono::seconds longest_wait{60};

/// One item of `expose` or `remap`, or one port mapping.
struct Wish
{
    std::optional<Address> host_address;  ///< nullopt: all of the node's, of both families; never set in a remap
    HostPort host_port{};                 ///< in a remap: the port at the pod's address
    PodPort pod_port{};
    Protocol protocol = Protocol::tcp;
    std::string text;  ///< as the user wrote it, for messages: `80:9080`, `hostPort 80`
};

struct Wishes
{
    std::vector<Wish> expose;         ///< by annotation: only where `gateways` allows it
    std::vector<Wish> port_mappings;  ///< by the pod's spec: guarded by PodSecurity, not by `gateways`
    std::vector<Wish> remap;          ///< stays inside the pod: guarded by nothing
    Sharing sharing;

    bool empty() const { return expose.empty() && port_mappings.empty() && remap.empty(); }
};

/// Is it one of ours, known or not?
bool is_our_annotation(std::string_view key);

/// Reads our annotations among all of the pod's, and the port mappings. Throws Error(bad_annotation); the message
/// quotes the value and points at the place. An unknown key below `sallyport.dev/` is refused too: it is a typing error
/// that would otherwise show only in traffic that doesn't come.
Wishes parse_wishes(const std::map<std::string, std::string>& annotations,
                    const std::vector<PortMapping>& port_mappings);

}  // namespace sallyport
