// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which way packets of this node take, by the routes of the network namespace that we run in.
#pragma once

#include "sallyport/address.hpp"

#include <string>

namespace sallyport {

/// Name of the device by which packets go to that address; empty where no route leads there. Throws Error(node_lacks)
/// where the kernel refuses to say.
std::string read_device_towards(const Address& address);

}  // namespace sallyport
