// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/wire.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace sallyport {

namespace {

static_assert(static_cast<int>(Scope::node) == abi::AT_NODE && static_cast<int>(Scope::pod) == abi::AT_POD);

abi::endpoint make_endpoint(const Address& address, std::uint16_t port, Protocol protocol)
{
    abi::endpoint endpoint{};
    endpoint.address = to_wire(address);
    endpoint.port = htons(port);
    endpoint.protocol = static_cast<__u8>(protocol);
    return endpoint;
}

template <std::size_t size>
std::string text_of(const char (&field)[size])
{
    return {field, strnlen(field, size)};
}

}  // namespace

abi::address to_wire(const Address& address)
{
    abi::address wire{};
    std::copy(address.bytes().begin(), address.bytes().end(), wire.bytes);
    return wire;
}

Address from_wire(const abi::address& address)
{
    Address::Bytes bytes{};
    std::copy(std::begin(address.bytes), std::end(address.bytes), bytes.begin());
    return Address(bytes);
}

abi::endpoint to_wire(const NodePort& node_port)
{
    abi::endpoint endpoint = make_endpoint(node_port.address, number(node_port.port), node_port.protocol);
    endpoint.scope = static_cast<__u8>(node_port.scope);
    return endpoint;
}

abi::endpoint to_wire(const Backend& backend)
{
    return make_endpoint(backend.address, number(backend.port), backend.protocol);
}

NodePort node_port_from_wire(const abi::endpoint& endpoint)
{
    return {from_wire(endpoint.address), HostPort{ntohs(endpoint.port)}, static_cast<Protocol>(endpoint.protocol),
            static_cast<Scope>(endpoint.scope)};
}

Backend backend_from_wire(const abi::endpoint& endpoint)
{
    return {from_wire(endpoint.address), PodPort{ntohs(endpoint.port)}, static_cast<Protocol>(endpoint.protocol)};
}

std::optional<abi::pod_key> to_wire(const AttachmentId& id)
{
    abi::pod_key key{};
    if (id.container_id.size() >= sizeof key.container_id || id.ifname.size() >= sizeof key.ifname)
        return std::nullopt;
    id.container_id.copy(key.container_id, sizeof key.container_id);
    id.ifname.copy(key.ifname, sizeof key.ifname);
    return key;
}

AttachmentId from_wire(const abi::pod_key& key)
{
    return {text_of(key.container_id), text_of(key.ifname)};
}

abi::address_prefix to_wire(const Prefix& prefix)
{
    abi::address_prefix wire{};
    wire.length = prefix.length;
    std::copy(prefix.address.bytes().begin(), prefix.address.bytes().end(), wire.bytes);
    return wire;
}

}  // namespace sallyport
