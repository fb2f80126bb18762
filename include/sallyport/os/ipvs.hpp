// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's own load balancer, which kube-proxy uses in its IPVS mode.
#pragma once

#include "sallyport/frontend.hpp"

#include <filesystem>
#include <vector>

namespace sallyport {

/// All that it serves in our network namespace; none where the kernel has no IPVS, or it isn't loaded. `list` has the
/// form of /proc/net/ip_vs.
std::vector<Frontend> read_ipvs(const std::filesystem::path& list = "/proc/net/ip_vs");

}  // namespace sallyport
