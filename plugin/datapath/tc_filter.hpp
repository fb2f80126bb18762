// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Below kernel 6.6: one tc filter of ours at clsact, of Cilium's priority and under a handle of our own. Of one
// priority the kernel runs the newest filter first; one that is replaced under its own handle keeps its place. Never
// destroys a clsact: others may have come to use it. Works in the network namespace that the calling thread is in.
#pragma once

#include "place.hpp"

#include <linux/types.h>

#include <vector>

namespace sallyport {

/// Makes `program` our filter there, before all others of its priority, and removes our older one after that. Throws
/// Error(node_lacks).
void put_filter_first(Place place, int program);

/// Removes ours; nothing where there is none, or no such device.
void remove_filter(Place place);

/// The id of the program that our filter runs; 0 where there is none.
__u32 filter_program(Place place);

/// Is ours the first that packets meet there? False where there is none.
bool is_filter_first(Place place);

/// The ids of the programs that filters of others run there, at whatever priority, first to last.
std::vector<__u32> filter_programs_of_others(Place place);

}  // namespace sallyport
