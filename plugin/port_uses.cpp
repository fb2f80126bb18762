// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/port_uses.hpp"

#include <map>

namespace sallyport {

PortUse use_of(const NodePort& node_port)
{
    const __u32 index = abi::port_use_index(static_cast<__u8>(node_port.protocol), number(node_port.port));
    if (node_port.scope == Scope::pod)
        return {index, abi::PORT_REMAPPED};
    if (node_port.address.is_any())
        return {index, node_port.address.is_v4() ? abi::PORT_ANY_V4 : abi::PORT_ANY_V6};
    return {index, node_port.address.is_v4() ? abi::PORT_EXACT_V4 : abi::PORT_EXACT_V6};
}

PortUse use_of(const Backend& backend)
{
    return {abi::port_use_index(static_cast<__u8>(backend.protocol), number(backend.port)), abi::PORT_OF_BACKEND};
}

bool PortUses::has(const PortUse& use) const
{
    return (table_.find(use.index).value_or(0) & use.bit) != 0;
}

void PortUses::add(const PortUse& use)
{
    const __u32 bits = table_.find(use.index).value_or(0);
    if ((bits & use.bit) == 0)
        table_.put(use.index, bits | use.bit);
}

void PortUses::remove(const PortUse& use)
{
    const __u32 bits = table_.find(use.index).value_or(0);
    if ((bits & use.bit) != 0)
        table_.put(use.index, bits & ~use.bit);  // an array knows no erasing
}

void PortUses::replace_all(const std::set<PortUse>& uses)
{
    std::map<__u32, __u32> wanted;
    for (const PortUse& use : uses)
        wanted[use.index] |= use.bit;
    for (const auto& [index, bits] : table_.all()) {
        const auto found = wanted.find(index);
        const __u32 right = found == wanted.end() ? 0 : found->second;
        if (found != wanted.end())
            wanted.erase(found);
        if (bits != right)
            table_.put(index, right);
    }
    for (const auto& [index, bits] : wanted)
        table_.put(index, bits);
}

}  // namespace sallyport
