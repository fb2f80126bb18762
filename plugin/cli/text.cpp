// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/text.hpp"

#include "sallyport/utf8.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace sallyport {

namespace {

struct Character
{
    std::size_t bytes = 1;
    std::size_t columns = 1;
};

struct Range
{
    std::uint32_t first;
    std::uint32_t last;
};

/// Combining marks, joiners and variation selectors.
constexpr std::array no_columns{Range{0x300, 0x36f}, Range{0x200b, 0x200f}, Range{0x20d0, 0x20ff},
                                Range{0xfe00, 0xfe0f}};
/// Unicode's East Asian Width W and F, in large strokes.
constexpr std::array two_columns{Range{0x1100, 0x115f}, Range{0x2e80, 0xa4cf},   Range{0xac00, 0xd7a3},
                                 Range{0xf900, 0xfaff}, Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},
                                 Range{0xffe0, 0xffe6}, Range{0x1f300, 0x1faff}, Range{0x20000, 0x3fffd}};

template <std::size_t size>
bool is_in(const std::array<Range, size>& ranges, std::uint32_t code)
{
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const Range& range) { return code >= range.first && code <= range.last; });
}

/// The first character; `text` isn't empty.
Character first_of(std::string_view text)
{
    const Utf8Character character = first_character(text);
    if (!character.valid)
        return {};
    const std::uint32_t code = character.code;
    return {character.bytes, is_in(no_columns, code) ? 0U : is_in(two_columns, code) ? 2U : 1U};
}

std::vector<std::pair<std::string_view, std::size_t>> characters_of(std::string_view text)
{
    std::vector<std::pair<std::string_view, std::size_t>> characters;
    while (!text.empty()) {
        const Character first = first_of(text);
        characters.emplace_back(text.substr(0, first.bytes), first.columns);
        text.remove_prefix(first.bytes);
    }
    return characters;
}

/// As many of the characters, from their beginning, as fit.
template <typename Iterator>
std::pair<Iterator, std::size_t> fitting(Iterator begin, const Iterator& end, std::size_t columns)
{
    std::size_t used = 0;
    while (begin != end && used + begin->second <= columns)
        used += (begin++)->second;
    return {begin, used};
}

}  // namespace

std::size_t display_width(std::string_view text)
{
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character first = first_of(text);
        columns += first.columns;
        text.remove_prefix(first.bytes);
    }
    return columns;
}

std::string printable(std::string_view text)
{
    std::string clean;
    while (!text.empty()) {
        const Utf8Character character = first_character(text);
        clean += does_more_than_show(character) ? "?" : text.substr(0, character.bytes);
        text.remove_prefix(character.bytes);
    }
    return clean;
}

std::string shortened(std::string_view text, std::size_t width, std::string_view ellipsis)
{
    if (display_width(text) <= width)
        return std::string(text);
    const std::size_t dots = display_width(ellipsis);
    if (width <= dots)
        ellipsis = {};
    const std::size_t left = width - (ellipsis.empty() ? 0 : dots);
    const auto characters = characters_of(text);
    const auto head = fitting(characters.begin(), characters.end(), left / 2);
    const auto tail = fitting(characters.rbegin(), characters.rend(), left - head.second);

    std::string result;
    for (auto each = characters.begin(); each != head.first; ++each)
        result += each->first;
    result += ellipsis;
    for (auto each = tail.first.base(); each != characters.end(); ++each)
        result += each->first;
    return result;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width)
{
    std::vector<std::string> lines{""};
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (word.empty())
            continue;
        std::string& line = lines.back();
        if (!line.empty() && display_width(line) + 1 + display_width(word) > width)
            lines.emplace_back(word);
        else
            line += (line.empty() ? "" : " ") + std::string(word);
    }
    return lines;
}

std::string human_rate(double bytes_per_second)
{
    constexpr std::array units{"B/s", "kB/s", "MB/s", "GB/s"};
    std::size_t unit = 0;
    for (; bytes_per_second >= 999.5 && unit + 1 < units.size(); unit++)
        bytes_per_second /= 1000;
    const int decimals = unit == 0 || bytes_per_second >= 99.95 ? 0 : 1;
    return fmt::format("{:.{}f} {}", bytes_per_second, decimals, units[unit]);
}

std::string human_duration(std::chrono::milliseconds duration)
{
    if (duration < std::chrono::seconds(1))
        return fmt::format("{} ms", std::max<std::chrono::milliseconds::rep>(duration.count(), 0));
    struct Unit
    {
        long seconds;
        const char* name;
    };
    constexpr std::array units{Unit{86400, "d"}, Unit{3600, "h"}, Unit{60, "min"}, Unit{1, "s"}};
    const long seconds = std::chrono::floor<std::chrono::seconds>(duration).count();
    const auto* unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& each) { return seconds >= each.seconds; });
    std::string text = fmt::format("{} {}", seconds / unit->seconds, unit->name);
    if (const long rest = seconds % unit->seconds; unit + 1 != units.end() && rest >= (unit + 1)->seconds)
        text += fmt::format(" {} {}", rest / (unit + 1)->seconds, (unit + 1)->name);
    return text;
}

std::string address_and_port(const Backend& backend)
{
    return bracketed(backend.address) + ":" + std::to_string(number(backend.port));
}

}  // namespace sallyport
