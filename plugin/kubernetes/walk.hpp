// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Walks through a JSON document while it arrives, and says where it is. Keeps nothing but that place.
#pragma once

#include <cstddef>
#include <functional>
#include <streambuf>
#include <string>
#include <string_view>

namespace sallyport::kubernetes {

/// Where a walk may put what it meets. A path is the keys that lead there, each after a slash; elements of an array
/// have the path of the array.
struct Visitor
{
    std::function<void(std::string_view path, const std::string& text)> scalar;  ///< a string as it is, true, 15, null
    std::function<void(std::string_view path)> end_of_object;
};

/// Walks through the next value, and takes no byte after it. Between two ends of objects of `unit`, a path, there may
/// be `max_bytes` bytes. Throws Error(decoding_failure).
void walk(std::streambuf& text, const Visitor& visitor, std::string_view unit, std::size_t max_bytes);

}  // namespace sallyport::kubernetes
