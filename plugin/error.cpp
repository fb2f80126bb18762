// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/error.hpp"

#include "sallyport/utf8.hpp"

#include <system_error>

namespace sallyport {
namespace {

constexpr std::size_t longest_quote = 80;

bool continues_utf8(char c)
{
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::string as_code(char c)
{
    const auto code = static_cast<unsigned char>(c);
    static constexpr std::string_view digits = "0123456789abcdef";
    return {'\\', 'x', digits[code >> 4], digits[code & 0xf]};
}

}  // namespace

std::string errno_text(int error)
{
    return std::generic_category().message(error);
}

std::string in_quotes(std::string_view text)
{
    std::size_t length = text.size();
    if (length > longest_quote) {
        length = longest_quote;
        while (length > 0 && continues_utf8(text[length]))
            --length;  // half a character would make our JSON invalid
    }
    std::string quote = "\"";
    for (std::string_view rest = text.substr(0, length); !rest.empty();) {
        const Utf8Character character = first_character(rest);
        for (const char c : rest.substr(0, character.bytes))
            quote += does_more_than_show(character) ? as_code(c) : std::string{c};
        rest.remove_prefix(character.bytes);
    }
    return quote + (length < text.size() ? "...\"" : "\"");
}

}  // namespace sallyport
