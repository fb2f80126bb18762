// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The result of the plugins before us, read for the pod's interface and addresses, and only where a pod wants
// something.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/cni/json.hpp"

#include <optional>
#include <string>
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

struct PrevResult
{
    std::vector<Interface> interfaces;
    std::vector<AssignedAddress> ips;
};

/// Reads `prevResult` in a network configuration. Throws Error(invalid_network_config)
/// with the JSON pointer where a field that we read has another type or isn't an address. What is missing counts as
/// empty.
PrevResult read_prev_result(const JsonValue& config);

}  // namespace sallyport
