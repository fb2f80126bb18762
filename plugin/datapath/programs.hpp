// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Brings this binary's BPF objects into the kernel and pins them, each when it is first needed, keeping the tables that
// are there. All of them share those tables, by name.
#pragma once

#include "state_dir.hpp"

#include "sallyport/config.hpp"

#include <string>
#include <vector>

namespace sallyport {

/// What is loaded and pinned together.
enum class ProgramSet {
    node,       ///< node.bpf.c, for outside devices with an Ethernet header
    bare_node,  ///< the same for devices without a link-layer header: WireGuard, tun
    pod,        ///< pod.bpf.c, for pods' own devices with an Ethernet header
    bare_pod,   ///< the same for those without
    socket,     ///< socket.bpf.c, for cgroups
};

/// Names of the set's programs in StateDir::program(); those of a `bare_` set begin so.
std::vector<std::string> pins_of(ProgramSet set);

/// Makes sure that the pinned tables are there, and that the set is pinned and of this binary. Where another build made
/// what is pinned, or a table is missing, every set that is pinned is replaced, so that no program is left with another
/// ABI, or with a table of its own; tables are kept. Hooks that run the older programs are then pointed to these by
/// whoever follows them. `flows` counts only where those tables aren't there yet. Returns true where anything was made.
/// Throws Error(node_lacks) where the kernel refuses, or where the tables are those of an incompatible version.
bool ensure_programs(const StateDir& state, ProgramSet set, const FlowCapacity& flows = {});

/// Are the tables and programs that are pinned this binary's? Throws Error(node_lacks) where the tables are of an
/// incompatible version.
bool programs_are_current(const StateDir& state);

/// Loads the set once more and pins it in place of the one that is there: programs that do the same and count as
/// others, as the kernel takes none twice into one chain.
void reload_programs(const StateDir& state, ProgramSet set);

}  // namespace sallyport
