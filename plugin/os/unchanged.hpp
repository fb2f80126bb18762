// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's long lists are read in pieces, and it says where one changed meanwhile. On a node where pods come and go
// that is every other time; on a busy one many times in a row.
#pragma once

#include "sallyport/error.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace sallyport {

/// Calls `read` until it returns something: an optional, empty where what it read had changed. Throws
/// Error(try_again_later) after three seconds; `action` is what failed then.
template <typename Read>
auto read_unchanged(const std::string& action, Read read)
{
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + 3s;
    for (auto pause = 1ms;; pause = std::min(2 * pause, 50ms)) {
        if (auto result = read())
            return *std::move(result);
        if (std::chrono::steady_clock::now() > end)
            throw Error(Code::try_again_later, action + ": it changed during each attempt of three seconds");
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace sallyport
