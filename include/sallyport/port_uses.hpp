// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What each port number stands for on this node. The datapath looks further only where a bit is set, so a packet to any
// other port costs it one look-up in an array; hence bits are set before what they announce, and cleared after it.
#pragma once

#include "sallyport/exposure.hpp"
#include "sallyport/table.hpp"

#include <compare>
#include <set>

namespace sallyport {

/// One bit (abi::port_use) of one protocol's port.
struct PortUse
{
    __u32 index = 0;
    __u32 bit = 0;

    auto operator<=>(const PortUse&) const = default;
};

PortUse use_of(const NodePort& node_port);
PortUse use_of(const Backend& backend);

class PortUses
{
public:
    explicit PortUses(Table<__u32, __u32>& table) : table_(table) {}

    bool has(const PortUse& use) const;
    void add(const PortUse& use);
    void remove(const PortUse& use);

    /// Makes these the only ones. Reads the whole table: for repairs.
    void replace_all(const std::set<PortUse>& uses);

private:
    Table<__u32, __u32>& table_;
};

}  // namespace sallyport
