// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/names.hpp"

#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>
#include <vector>

namespace sallyport {
namespace {

/// Insertions, deletions and replacements from one to the other, case aside.
std::size_t typing_errors(std::string_view a, std::string_view b)
{
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

}  // namespace

bool is_one_of(std::string_view text, Names names)
{
    return std::find(names.begin(), names.end(), text) != names.end();
}

std::string advice_for(std::string_view unknown, Names known)
{
    constexpr std::size_t longest = 64;  // the comparison costs the product of both lengths
    for (const std::string_view name : known)
        if (unknown.size() <= longest && typing_errors(unknown, name) <= 2)
            return "did you mean " + in_quotes(name) + "?";
    return "known are " + listed(known);
}

}  // namespace sallyport
