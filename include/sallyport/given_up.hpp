// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The pods whose node ports were taken while they lived, by `sallyport uninstall`. A runtime that keeps the list of the
// day when a pod was added goes on calling the plugin for them, which finds them bound no more: that isn't their fault,
// and nothing that a new sandbox would cure. Noted in the state directory, whose content ends with the node's uptime,
// as those sandboxes do.
#pragma once

#include "sallyport/config.hpp"

#include <filesystem>
#include <vector>

namespace sallyport {

/// Adds them to those noted before. Throws Error where that can't be written.
void note_given_up(const std::filesystem::path& state_dir, const std::vector<AttachmentId>& pods);

/// Is anything noted?
bool has_given_up(const std::filesystem::path& state_dir) noexcept;

bool was_given_up(const std::filesystem::path& state_dir, const AttachmentId& pod) noexcept;

}  // namespace sallyport
