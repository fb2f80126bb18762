// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Between our values and the bytes that the BPF programs read. The only place where byte order is turned.
#pragma once

#include "sallyport/abi.h"
#include "sallyport/attachment.hpp"
#include "sallyport/exposure.hpp"

#include <optional>

namespace sallyport {

abi::address to_wire(const Address& address);
Address from_wire(const abi::address& address);

abi::endpoint to_wire(const NodePort& node_port);
abi::endpoint to_wire(const Backend& backend);
NodePort node_port_from_wire(const abi::endpoint& endpoint);
Backend backend_from_wire(const abi::endpoint& endpoint);

/// nullopt where a name is longer than the key can hold: nothing is ever held under such an id.
std::optional<abi::pod_key> to_wire(const AttachmentId& id);
AttachmentId from_wire(const abi::pod_key& key);

abi::address_prefix to_wire(const Prefix& prefix);

}  // namespace sallyport
