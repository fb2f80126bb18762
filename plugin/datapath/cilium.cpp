// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// devices_of_cilium(), of datapath.hpp.
#include "tc_filter.hpp"
#include "tcx.hpp"

#include "sallyport/datapath.hpp"

#include <algorithm>
#include <iterator>

namespace sallyport {

namespace {

/// Kernel names are cut at 15 characters; below tcx the device's name follows.
bool is_of_cilium(__u32 program)
{
    return program_name(program).starts_with("cil_from_netdev");
}

bool runs_cilium(const Device& device)
{
    const Place place{device.ifindex, Direction::ingress};
    const auto chain = tcx_chain(place);
    if (std::any_of(chain.begin(), chain.end(), [](const ChainMember& each) { return is_of_cilium(each.program); }))
        return true;
    // Also where the kernel has tcx: Cilium can be told not to use it.
    const __u32 filter = filter_program_of_cilium(place);
    return filter != 0 && is_of_cilium(filter);
}

}  // namespace

std::vector<Device> devices_of_cilium(const std::vector<Device>& devices)
{
    std::vector<Device> found;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(found), runs_cilium);
    return found;
}

}  // namespace sallyport
