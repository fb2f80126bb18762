// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the plugin has left on a node: pins, programs on devices, filters. Asked from the kernel, not from the plugin.
#pragma once

#include "support/netns.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sallyport::test {

/// Every pin below a bpffs, as path; sorted.
std::vector<std::string> pins_below(const std::filesystem::path& bpffs);

/// Names of the pods' own pins, those of their links; sorted.
std::vector<std::string> pod_pins_below(const std::filesystem::path& bpffs);

/// How many entries each pinned hash table has, by the pin's name. Flows are left out: they are traffic's, not a pod's.
using Entries = std::map<std::string, unsigned>;
Entries entries_below(const std::filesystem::path& bpffs);

/// Every BPF program and every tc filter or clsact on a device of the namespace, one line each; sorted. Names the
/// program's id, so that a replaced program shows.
std::vector<std::string> programs_in(const Namespace& netns);

/// Every BPF program attached to a cgroup v2 directory or one below, one line each; sorted.
std::vector<std::string> programs_below(const std::filesystem::path& cgroup);

/// Deletes every flow; returns how many there were.
std::size_t flush_flows(const std::filesystem::path& bpffs);

/// Makes the pinned programs look like another build's, for the next gateway's ADD to replace.
void pretend_other_build(const std::filesystem::path& bpffs);

}  // namespace sallyport::test
