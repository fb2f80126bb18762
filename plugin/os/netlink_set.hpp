// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Sets and maps of nftables, which rules look into; for the netlink files alone.
#pragma once

#include "netlink_socket.hpp"

#include "sallyport/packet_filter.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sallyport::netlink {

struct SetElement
{
    std::vector<std::byte> key{};   ///< empty: it stands for all that no other one has
    std::vector<std::byte> last{};  ///< of a range that begins with `key`; else empty
    std::vector<std::byte> data{};  ///< of a map
    std::uint32_t verdict = 0;      ///< of a verdict map: NFT_JUMP, NF_ACCEPT, ...
    std::string chain{};            ///< where that leads
};

struct Set
{
    std::uint32_t key_size = 0;  ///< bytes
    bool is_map = false;
    std::vector<SetElement> elements{};
};

/// Those of one table, by name.
using Sets = std::map<std::string, Set>;

/// A request for a list of nftables' (NFT_MSG_...); `family`: NFPROTO_...
Message nftables_request(int what, unsigned char family);

/// `family`: NFPROTO_... Throws as read_nftables().
Sets read_sets(Conversation& kernel, unsigned char family, const std::string& table);

}  // namespace sallyport::netlink
