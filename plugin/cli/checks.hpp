// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an option's value must be. CLI11's own checks answer with the tables and ranges of their types; these say what
// to write. Each returns what is wrong with a text, "" for nothing.
#pragma once

#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

namespace sallyport {

inline auto one_of(const std::vector<std::string>& words)
{
    return [words](const std::string& text) {
        const bool known = std::find(words.begin(), words.end(), text) != words.end();
        return known ? "" : in_quotes(text) + " isn't known; write one of " + listed(words);
    };
}

inline std::string whole_number(const std::string& text)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? ""
                                                                    : in_quotes(text) + " isn't a number from 0 on";
}

/// Between a tenth of a second and an hour.
inline std::string interval(const std::string& text)
{
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && seconds >= 0.1 && seconds <= 3600 ? ""
                                                      : in_quotes(text) + " isn't a time; write 0.1 to 3600 (seconds)";
}

}  // namespace sallyport
