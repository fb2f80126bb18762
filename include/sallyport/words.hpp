// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kubernetes' word on the pods that are bound here: what the API server tells of this node's pods, told of each
// attachment by its generation. A function of values; who writes it into the datapath, and when, is elsewhere.
#pragma once

#include "sallyport/bindings.hpp"
#include "sallyport/kubernetes.hpp"
#include "sallyport/witness.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

namespace sallyport {

/// `said`: the whole of what the API server tells now. `before`: the words that are in the datapath, as far as they
/// still count; what goes on since then keeps its beginning. `wall_now` is `now` by the clock on the wall, which the
/// API server's times are of.
///
/// A pod is found by its uid; a static one by the uid that its mirror names; one whose runtime didn't tell its uid by
/// namespace and name. A pod that there was a word on and that isn't told of any more was deleted by force: it ends.
/// There is no word on pods that were never told of.
std::map<std::uint64_t, Word> words_on(const std::vector<BoundPod>& pods, const PodWords& said,
                                       const std::map<std::uint64_t, Word>& before, Instant now,
                                       std::chrono::system_clock::time_point wall_now);

}  // namespace sallyport
