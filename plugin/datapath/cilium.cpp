// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// devices_of_cilium() and guarded_by_cilium(), of datapath.hpp.
#include "tc_filter.hpp"
#include "tcx.hpp"

#include "sallyport/datapath.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace sallyport {

namespace {

/// All of Cilium's programs begin so. Kernel names are cut at 15 characters; below tcx the device's name follows.
constexpr const char* any_of_cilium = "cil_";
constexpr const char* at_outside_device = "cil_from_netdev";

bool has(const std::vector<ChainMember>& chain, const char* name)
{
    return std::any_of(chain.begin(), chain.end(),
                       [&](const ChainMember& each) { return program_name(each.program).starts_with(name); });
}

bool runs(Place place, const char* name)
{
    if (has(tcx_chain(place), name))
        return true;
    // Also where the kernel has tcx: Cilium can be told not to use it. At any priority: `--bpf-filter-priority` says
    // which.
    const std::vector<__u32> filters = filter_programs_of_others(place);
    return std::any_of(filters.begin(), filters.end(),
                       [&](__u32 program) { return program_name(program).starts_with(name); });
}

}  // namespace

std::vector<Device> devices_of_cilium(const std::vector<Device>& devices)
{
    std::vector<Device> found;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(found),
                 [](const Device& device) { return runs({device.ifindex, Direction::ingress}, at_outside_device); });
    return found;
}

std::vector<Device> guarded_by_cilium(const std::vector<Device>& devices)
{
    std::vector<Device> found;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(found), [](const Device& device) {
        return has(netkit_chain(device.ifindex), any_of_cilium) ||
               std::any_of(directions.begin(), directions.end(),
                           [&](Direction direction) { return runs({device.ifindex, direction}, any_of_cilium); });
    });
    return found;
}

}  // namespace sallyport
