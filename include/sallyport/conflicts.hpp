// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// How many pods were refused because their node port was taken: a number in `<stateDir>/conflicts`. The plugin's calls
// are short-lived, and the node may have nothing pinned when one is refused; the file is gone with the next boot.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sallyport {

/// The caller holds the lock. A number that can't be written is lost: no refusal is another one's fault.
void count_conflict(const std::filesystem::path& state_dir) noexcept;

/// 0 where there is no number.
std::uint64_t read_conflicts(const std::filesystem::path& state_dir) noexcept;

}  // namespace sallyport
