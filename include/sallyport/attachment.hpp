// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who we act for: one interface of one pod.
#pragma once

#include "sallyport/cni/request.hpp"
#include "sallyport/cni/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

struct Attachment
{
    AttachmentId id;
    std::string network;
    std::string pod_namespace;
    std::string pod_name;
    std::string pod_uid;  ///< "": not known
    std::string netns;    ///< path
    std::optional<Address> v4;
    std::optional<Address> v6;
    /// Since 1970, by its runtime's word; 0: not known, and so older than all others. nullopt: now.
    std::optional<std::chrono::nanoseconds> made_at;

    /// `namespace/name`, or the container's id outside Kubernetes.
    std::string pod() const;
};

std::vector<Address> addresses_of(const Attachment& pod);

/// The pod's device and namespace are the request's, whatever the previous result says. Of its addresses the first of
/// each family is taken: of those of the interface that has the device's name (and `sandbox`), never by position, or,
/// where the result names no such interface, of all. Throws Error(invalid_network_config) where there is none.
Attachment resolve_attachment(const Request& request, const std::string& network, const PrevResult& prev_result);

}  // namespace sallyport
