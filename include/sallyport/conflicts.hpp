// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pods were refused because their node port was taken: `<stateDir>/conflicts`, a number, and a line for each of
// the pods that were refused last. A kubelet tries such a pod again every 10 to 20 seconds, each time with another
// container and another address, so the number counts pods and not refusals. The plugin's calls are short-lived, and
// the node may have nothing pinned when one is refused; the file is gone with the next boot.
#pragma once

#include "sallyport/attachment.hpp"
#include "sallyport/clock.hpp"

#include <cstdint>
#include <filesystem>

namespace sallyport {

struct Conflicts
{
    std::uint64_t pods = 0;   ///< that were ever refused
    std::uint64_t going = 0;  ///< of them, those that were refused within the last two minutes, so that they still wait

    auto operator<=>(const Conflicts&) const = default;
};

/// Counts a pod once for each of its UIDs, or names where the runtime tells no UID, as long as it is among the 1,024
/// that were refused last. The caller holds the lock. A number that can't be written is lost: no refusal is another
/// one's fault.
void count_conflict(const std::filesystem::path& state_dir, const Attachment& pod, Instant now) noexcept;

/// None where there is no number.
Conflicts read_conflicts(const std::filesystem::path& state_dir, Instant now) noexcept;

/// The caller holds the lock.
void forget_conflicts(const std::filesystem::path& state_dir) noexcept;

}  // namespace sallyport
