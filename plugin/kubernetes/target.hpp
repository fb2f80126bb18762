// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a request to the API server names.
#pragma once

#include <string>
#include <string_view>

namespace sallyport::kubernetes {

/// As a part of a path or of a query: what isn't plain becomes %XX.
std::string percent_encoded(std::string_view text);

}  // namespace sallyport::kubernetes
