// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Several things in one message.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace sallyport {

/// `a, b, c`; `text_of` makes the text of one item: a function, or a member of it.
template <typename Items, typename TextOf = std::identity>
std::string listed(const Items& items, TextOf text_of = {})
{
    std::string list;
    std::string_view separator;
    for (const auto& item : items) {
        list += separator;
        list += std::invoke(text_of, item);
        separator = ", ";
    }
    return list;
}

}  // namespace sallyport
