// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The tc filters on one side of a device, in the order in which packets meet them.
#pragma once

#include <cstdint>
#include <vector>

namespace sallyport {

struct TcFilter
{
    std::uint32_t priority = 0;
    std::uint32_t handle = 0;
    bool is_program = false;  ///< of the kind `bpf`
};

/// Those at the device's clsact, first to last; none where it has none. Throws Error(node_lacks) where the kernel
/// refuses to list them.
std::vector<TcFilter> list_tc_filters(int ifindex, bool ingress);

}  // namespace sallyport
