// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The result of the plugins before us: kept as it came, and read only for the pod's interface and addresses.
#pragma once

#include "sallyport/address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

struct Interface
{
    std::string name;
    std::string sandbox;  ///< the namespace's path; empty for an interface of the host
};

struct AssignedAddress
{
    Address address;
    std::optional<std::size_t> interface;  ///< index into `interfaces`
};

/// `prevResult`. `text` is what goes back to the runtime: the same JSON value, unknown fields and key order included.
struct PrevResult
{
    std::string text;
    std::vector<Interface> interfaces;
    std::vector<AssignedAddress> ips;
};

class JsonValue;

/// Reads the value of `prevResult`; `text` is its JSON as it came. Throws Error(invalid_network_config) with the JSON
/// pointer where a field that we read has another type or isn't an address. What is missing counts as empty.
PrevResult read_prev_result(const JsonValue& value, std::string_view text);

}  // namespace sallyport
