// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Values as tests write them: a text that isn't one throws.
#pragma once

#include "sallyport/address.hpp"

#include <string_view>

namespace sallyport {

inline Address address(std::string_view text)
{
    return Address::parse(text).value();
}

inline Prefix prefix(std::string_view text)
{
    return Prefix::parse(text).value();
}

}  // namespace sallyport
