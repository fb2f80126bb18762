// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The files of page/, which the build puts into the executable.
#pragma once

#include "reply.hpp"

#include <optional>
#include <string_view>

namespace sallyport::web {

/// The page itself is at "/". nullopt for a path that is none of its files.
std::optional<Reply> page_file(std::string_view path);

}  // namespace sallyport::web
