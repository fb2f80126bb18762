// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Brings this binary's BPF object into the kernel and pins it, keeping the tables that are there.
#pragma once

#include "state_dir.hpp"

#include "sallyport/config.hpp"

namespace sallyport {

/// Makes sure that the pinned tables and programs are those of this binary. Programs of another build are replaced,
/// tables are kept; hooks that run the older ones are then pointed to these by Hooks::follow. Returns true where
/// anything was made. Throws Error(node_lacks) where the kernel refuses, or where the tables are those of an
/// incompatible version.
bool ensure_programs(const StateDir& state, const FlowCapacity& flows);

}  // namespace sallyport
