// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/utf8.hpp"

#include <algorithm>
#include <array>

namespace sallyport {

namespace {

struct Range
{
    std::uint32_t first;
    std::uint32_t last;
};

constexpr std::array acting{Range{0x00, 0x1f},     Range{0x7f, 0x9f},     Range{0x61c, 0x61c},
                            Range{0x200e, 0x200f}, Range{0x2028, 0x202e}, Range{0x2066, 0x2069}};

std::size_t length_after(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2)
        return 0;  // a continuation, or an overlong form
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

}  // namespace

Utf8Character first_character(std::string_view text)
{
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t bytes = length_after(lead);
    if (bytes < 2 || bytes > text.size())
        return {lead, 1, bytes == 1};
    std::uint32_t code = lead & (0x7fU >> bytes);
    for (std::size_t i = 1; i < bytes; i++) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0) != 0x80)
            return {lead, 1, false};
        code = (code << 6) | (next & 0x3fU);
    }
    return {code, bytes, true};
}

bool does_more_than_show(const Utf8Character& character)
{
    return !character.valid || std::any_of(acting.begin(), acting.end(), [&](const Range& range) {
        return character.code >= range.first && character.code <= range.last;
    });
}

}  // namespace sallyport
