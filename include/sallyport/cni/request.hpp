// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One call of the CNI protocol, as environment and stdin bring it.
#pragma once

#include "sallyport/config.hpp"

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

namespace sallyport {

enum class Command { add, del, check, gc, status, version };

/// A variable's value; nullopt if it isn't set.
using GetEnv = std::function<std::optional<std::string>(const std::string&)>;

struct Request
{
    Command command{};
    AttachmentId attachment;    ///< CNI_CONTAINERID and CNI_IFNAME; empty for GC, STATUS and VERSION
    std::string netns;          ///< CNI_NETNS, a path; may be empty for DEL
    std::string pod_namespace;  ///< K8S_POD_NAMESPACE of CNI_ARGS; empty outside Kubernetes
    std::string pod_name;       ///< K8S_POD_NAME of CNI_ARGS; empty outside Kubernetes
    std::string pod_uid;        ///< K8S_POD_UID of CNI_ARGS; empty where the runtime doesn't say
    std::string config;         ///< stdin, unparsed

    /// What is wrong with CNI_ARGS or the container's id, in words; "" for nothing. No matter to a pod that wants
    /// nothing of us; resolve_attachment() throws it.
    std::string objection;
};

/// Largest configuration we read, in bytes. Kubernetes allows 256 KiB of annotations on a pod, whoever's they are, and
/// Go writes some characters as six: "<" as \u003c.
inline constexpr std::size_t max_config_size = 4 << 20;

/// Longest container id of a pod that is bound, in bytes: what the owner record's key holds beside its NUL.
inline constexpr std::size_t max_container_id = 127;

/// Throws Error(invalid_environment) where a variable that the command needs is missing or malformed, and
/// Error(decoding_failure) for a configuration larger than `max_config_size`.
Request parse_request(const GetEnv& getenv, std::istream& in);

}  // namespace sallyport
