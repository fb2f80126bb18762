// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The flow tables as they are now: entries that translate, aren't closed, and lead to one of these pods.
#pragma once

#include "state_dir.hpp"

#include "sallyport/datapath.hpp"

#include <functional>
#include <vector>

namespace sallyport {

FlowCount count_flows(const StateDir& dir, const std::vector<BoundPod>& pods);

void for_each_flow(const StateDir& dir, const std::vector<BoundPod>& pods,
                   const std::function<void(const Flow&)>& visit);

}  // namespace sallyport
