// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What GC shall keep.
#pragma once

#include "sallyport/config.hpp"

#include <string_view>
#include <vector>

namespace sallyport {

/// GC's `cni.dev/valid-attachments` (libcni's older spelling `cni.dev/attachments` counts too).
/// Throws Error(invalid_network_config) where it is missing: to treat that as "none" would remove every pod.
std::vector<AttachmentId> parse_valid_attachments(std::string_view text);

}  // namespace sallyport
