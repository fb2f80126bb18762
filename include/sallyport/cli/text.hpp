// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Text for a terminal: how wide it is, how it is cut and wrapped, and numbers as people read them. Knows nothing of
// colours.
#pragma once

#include "sallyport/exposure.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// Columns that UTF-8 text takes: 2 for East Asian wide characters and pictures, 0 for combining marks, 1 for each
/// byte that isn't UTF-8.
std::size_t display_width(std::string_view text);

/// The text without what would move the cursor or ring the bell: control characters become `?`. Names come from the
/// runtime, and are as good as it is.
std::string printable(std::string_view text);

/// At most `width` columns: the middle gives way to `ellipsis`, as names differ at their ends.
std::string shortened(std::string_view text, std::size_t width, std::string_view ellipsis);

/// Lines of at most `width` columns, broken at blanks; a word that is wider has a line of its own, whole. At least one
/// line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// "1.2 MB/s", "980 B/s": decimal units.
std::string human_rate(double bytes_per_second);

/// "850 ms", "12 s", "3 min 5 s", "2 h 10 min", "5 d 3 h": its two largest units.
std::string human_duration(std::chrono::milliseconds duration);

/// `10.0.1.7:9080`, `[fd00::7]:9080`
std::string address_and_port(const Backend& backend);

}  // namespace sallyport
