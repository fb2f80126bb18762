// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Text of others, character by character, for whoever shows it to people: names of pods, processes and devices may hold
// anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sallyport {

struct Utf8Character
{
    std::uint32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;  ///< else a byte that isn't part of one: `code` is its value
};

/// The first one; `text` isn't empty.
Utf8Character first_character(std::string_view text);

/// Would it do something to a terminal or to the text around it, and show nothing itself? C0 and C1 controls (a
/// terminal takes U+009B for ESC [), line and paragraph separators, and what turns the direction of text (U+202E makes
/// "gpj.exe" of "exe.jpg"). Also a byte that isn't UTF-8: some terminals read it as C1.
bool does_more_than_show(const Utf8Character& character);

}  // namespace sallyport
