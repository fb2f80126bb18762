// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// All that others serve at node ports, by what the kernel shows: Cilium's tables, the packet filter, IPVS. Changes
// nothing.
#pragma once

#include "sallyport/answered.hpp"
#include "sallyport/exposure.hpp"
#include "sallyport/frontend.hpp"

#include <filesystem>
#include <vector>

namespace sallyport {

/// Those that at least one of the node ports (Scope::node) takes over. Without what can't be read, which is logged: it
/// is no reason to refuse a gateway.
std::vector<Frontend> find_taken_over(const std::filesystem::path& bpffs, const std::vector<NodePort>& node_ports,
                                      const Answered& answered);

}  // namespace sallyport
