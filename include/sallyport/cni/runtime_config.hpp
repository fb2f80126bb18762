// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the container runtime adds to the network configuration for the capabilities that the conflist asks for.
#pragma once

#include "sallyport/cni/json.hpp"
#include "sallyport/config.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// By which a runtime hands over all of a pod's annotations.
inline constexpr std::string_view annotations_capability = "io.kubernetes.cri.pod-annotations";
inline constexpr std::string_view port_mappings_capability = "portMappings";

/// All of the pod's annotations in `runtimeConfig`.
std::map<std::string, std::string> read_pod_annotations(const JsonValue& runtime_config);

/// `portMappings` of `runtimeConfig`. Keys count in any case: containerd capitalises them. Those without a host port
/// are left out, as the runtime lists every port of the pod.
std::vector<PortMapping> read_port_mappings(const JsonValue& runtime_config);

}  // namespace sallyport
