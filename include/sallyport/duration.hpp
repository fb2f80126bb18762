// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Durations as people write and read them: a whole number and its unit.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// Reads `1500ms`, `30s`, `1m`, and `0`, which needs no unit: no sign, blank, fraction or leading zero. nullopt for
/// anything else, and for what doesn't fit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `1500ms`, or `30s` where it comes to whole seconds.
std::string to_string(std::chrono::milliseconds duration);

}  // namespace sallyport
