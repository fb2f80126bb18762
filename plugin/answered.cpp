// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/answered.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace sallyport {

namespace {

/// Length of the longest of them that holds the address.
std::optional<unsigned> longest_match(const std::vector<Prefix>& prefixes, const Address& address)
{
    std::optional<unsigned> length;
    for (const Prefix& prefix : prefixes)
        if (prefix.contains(address) && (!length || *length < prefix.length))
            length = prefix.length;
    return length;
}

}  // namespace

std::vector<Address> own_addresses(const NodeNetwork& network, const std::vector<Device>& outside)
{
    std::set<int> holders;
    for (const Device& device : outside) {
        int holder = device.ifindex;
        while (holder != 0 && holders.insert(holder).second) {  // a bond may be a port of a bridge
            const auto found = std::ranges::find(network.devices, holder, &Device::ifindex);
            holder = found == network.devices.end() ? 0 : found->master;
        }
    }
    std::set<Address> own;
    for (const DefaultSource& source : network.default_sources)
        if (holders.contains(source.ifindex))
            own.insert(source.address);
    for (const LocalAddress& local : network.addresses)
        if (holders.contains(local.ifindex))
            own.insert(local.address);
    std::erase_if(own, [](const Address& address) { return address.is_loopback() || address.is_link_local(); });
    return {own.begin(), own.end()};
}

bool Answered::contains(const Address& address) const
{
    const auto yes = longest_match(configured, address);
    const auto no = longest_match(excluded, address);
    if (yes || no)
        return yes.value_or(0) > no.value_or(0);
    return std::ranges::find(own, address) != own.end();
}

std::vector<Prefix> Answered::prefixes() const
{
    std::set<Prefix> sorted(configured.begin(), configured.end());
    for (const Address& address : own)
        sorted.insert(Prefix{address, 128});
    return {sorted.begin(), sorted.end()};
}

}  // namespace sallyport
