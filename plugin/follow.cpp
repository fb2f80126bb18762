// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/follow.hpp"

#include "sallyport/datapath.hpp"
#include "sallyport/devices.hpp"

namespace sallyport {

std::vector<Device> choose_devices(const Config& config, const NodeNetwork& network)
{
    const auto candidates = outside_devices(config.devices, network.devices);
    const auto with_cilium = config.devices ? std::vector<Device>{} : devices_of_cilium(candidates);
    return with_cilium.empty() ? candidates : with_cilium;
}

}  // namespace sallyport
