// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The parts of gather_facts(). Each looks, and judges nothing.
#pragma once

#include "sallyport/doctor.hpp"

#include <filesystem>

namespace sallyport {

ChainFacts gather_chain(const std::filesystem::path& directory);

/// From the entry that the active network has of ours, else from `fallback`.
ConfigFacts gather_config(const ChainFacts& chain, const std::filesystem::path& fallback);

AgentFacts gather_agent(const std::filesystem::path& state_dir);

BinaryFacts gather_binary(const std::filesystem::path& directory);

/// `pods`: addresses of the gateway pods here.
FilterFacts gather_filter(const std::vector<Device>& outside, const std::vector<Address>& pods);

}  // namespace sallyport
