// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/result.hpp"

#include <limits>

namespace sallyport {
namespace {

std::string text_or_empty(const JsonValue& object, std::string_view key)
{
    const auto value = object.find_set(key);
    return value ? value->string() : "";
}

AssignedAddress read_assigned_address(const JsonValue& value)
{
    const auto cidr = value.find_set("address");
    if (!cidr)
        value.refuse("an object with an \"address\" such as 10.0.1.7/24");
    const auto address = Address::parse_with_length(cidr->string());
    if (!address)
        cidr->refuse("an address with its prefix length, such as 10.0.1.7/24");

    AssignedAddress assigned{*address, std::nullopt};
    if (const auto interface = value.find_set("interface"))
        assigned.interface = interface->integer(0, std::numeric_limits<std::uint32_t>::max());
    return assigned;
}

}  // namespace

PrevResult read_prev_result(const JsonValue& config)
{
    const auto value = config.find_set("prevResult");
    PrevResult result;
    if (!value)
        return result;
    if (const auto interfaces = value->find_set("interfaces"))
        for (const JsonValue& interface : interfaces->elements())
            result.interfaces.push_back({text_or_empty(interface, "name"), text_or_empty(interface, "sandbox")});
    if (const auto ips = value->find_set("ips"))
        for (const JsonValue& ip : ips->elements())
            result.ips.push_back(read_assigned_address(ip));
    return result;
}

}  // namespace sallyport
