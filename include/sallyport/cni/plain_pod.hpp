// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is read of a call before anything is judged: does the pod concern us at all? Most pods don't, and nothing that
// is wrong with our configuration or our state may be their matter.
#pragma once

#include "sallyport/cni/json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// Has the pod neither an annotation of ours nor a host port? Throws Error(invalid_network_config) where nobody can
/// tell, as `runtimeConfig` can't be read.
bool is_plain(const JsonValue& config);

/// `prevResult` as it stands in `config`, which must be a JSON object; nullopt where it is missing or null.
std::optional<std::string> prev_result_of(std::string_view config);

}  // namespace sallyport
