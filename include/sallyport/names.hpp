// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Fixed lists of names (keys, levels, versions), for checks and for the advice in refusals.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sallyport {

using Names = std::span<const std::string_view>;

bool is_one_of(std::string_view text, Names names);

/// For a message about an unknown name: `did you mean "addresses"?` where one of `known` is a typing error or two away,
/// else all of them.
std::string advice_for(std::string_view unknown, Names known);

}  // namespace sallyport
