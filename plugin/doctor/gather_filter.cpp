// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node's packet filter, and the ways that clients' packets take through it.
#include "gather.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/netfilter.hpp"
#include "sallyport/os/route.hpp"

#include <algorithm>

namespace sallyport {

FilterFacts gather_filter(const std::vector<Device>& outside, const std::vector<Address>& pods)
{
    FilterFacts filter;
    try {
        filter.chains = read_packet_filter();
        for (const Device& device : outside) {
            if (pods.empty())
                filter.towards_pods.push_back({.in_device = device.name});
            for (const Address& pod : pods)
                filter.towards_pods.push_back({.v4 = pod.is_v4(),
                                               .in_device = device.name,
                                               .out_device = read_device_towards(pod),
                                               .destination = pod});
        }
    } catch (const Error& error) {
        filter.problem = error.what();
    }
    return filter;
}

}  // namespace sallyport
