// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What stands in nftables' attributes; for the netlink files alone.
#pragma once

#include <arpa/inet.h>
#include <netlink/attr.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sallyport::netlink {

using Bytes = std::span<const std::byte>;

/// The attribute of that type inside a nested one, or null.
inline const nlattr* inside(const nlattr* nested, int type)
{
    return nested ? nla_find(static_cast<const nlattr*>(nla_data(nested)), nla_len(nested), type) : nullptr;
}

/// nftables' numbers are big-endian. 0 where there is none.
inline std::uint32_t number_of(const nlattr* attribute)
{
    return attribute && nla_len(attribute) >= static_cast<int>(sizeof(std::uint32_t)) ? ntohl(nla_get_u32(attribute))
                                                                                      : 0;
}

/// Empty where there is none.
inline Bytes bytes_of(const nlattr* attribute)
{
    if (!attribute)
        return {};
    return {static_cast<const std::byte*>(nla_data(attribute)), static_cast<std::size_t>(nla_len(attribute))};
}

/// Empty where there is none.
inline std::string text_of(const nlattr* attribute)
{
    const Bytes bytes = bytes_of(attribute);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text.substr(0, text.find('\0'));
}

}  // namespace sallyport::netlink
