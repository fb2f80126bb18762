// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The clock of the datapath and the agent: CLOCK_MONOTONIC, which is what Linux's C++ libraries make steady_clock of.
#pragma once

#include <chrono>
#include <functional>

namespace sallyport {

using Instant = std::chrono::steady_clock::time_point;
using Clock = std::function<Instant()>;

}  // namespace sallyport
