// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Flows counted by what they have in common. 100,000 of them, each made a value and compared as such, take longer to
// count than to fetch.
#pragma once

#include "sallyport/abi.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace sallyport {

/// What flows of one exposure, asked at one address, have in common in their records.
class FlowGroup
{
public:
    FlowGroup(const abi::flow_key& key, const abi::flow& record)
        : words_{record.pod, record.node_address.halves[0], record.node_address.halves[1],
                 static_cast<__u64>(record.node_port) << 32 | static_cast<__u64>(key.protocol) << 16 |
                     (record.state & (abi::FLOW_VIA_ANY | abi::FLOW_AT_POD))}
    {}

    bool operator==(const FlowGroup&) const = default;

    struct Hash
    {
        std::size_t operator()(const FlowGroup& group) const
        {
            std::size_t hash = 0;
            for (const __u64 word : group.words_)
                hash = (hash ^ word) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
            return hash ^ hash >> 32;
        }
    };

    struct Members
    {
        std::uint64_t count = 0;
        std::pair<abi::flow_key, abi::flow> any;  ///< one of them
    };

private:
    std::array<__u64, 4> words_;
};

}  // namespace sallyport
