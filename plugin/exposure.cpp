// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/exposure.hpp"

#include "sallyport/error.hpp"

#include <strings.h>

#include <charconv>

namespace sallyport {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string endpoint_text(const Address& address, std::uint16_t port, Protocol protocol)
{
    return bracketed(address) + ":" + std::to_string(port) + "/" + std::string(name(protocol));
}

}  // namespace

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || text[0] == '0')
        return std::nullopt;
    return port;
}

std::string_view name(Protocol protocol)
{
    return protocol == Protocol::tcp ? "tcp" : "udp";
}

std::optional<Protocol> parse_protocol(std::string_view text)
{
    for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
        if (equals_ignoring_case(text, name(protocol)))
            return protocol;
    return std::nullopt;
}

std::string why_no_protocol(std::string_view text)
{
    if (equals_ignoring_case(text, "sctp"))
        return "SCTP can't be served, as its checksum (CRC32c) covers the ports, so that none can be rewritten; use "
               "tcp or udp";
    return in_quotes(text) + " isn't a protocol that can be served; write tcp or udp";
}

std::string_view name(Share share)
{
    return share == Share::newest ? "newest" : "spread";
}

std::string NodePort::to_string() const
{
    return endpoint_text(address, number(port), protocol);
}

std::string Backend::to_string() const
{
    return endpoint_text(address, number(port), protocol);
}

bool overlap(const NodePort& a, const NodePort& b)
{
    if (a.port != b.port || a.protocol != b.protocol || a.scope != b.scope)
        return false;
    const bool one_is_any = a.address.is_any() || b.address.is_any();
    return a.address == b.address || (one_is_any && a.address.is_v4() == b.address.is_v4());
}

bool is_outside(const NodePort& node_port, HostPort port, Protocol protocol, bool v4)
{
    return node_port.scope == Scope::node && node_port.port == port && node_port.protocol == protocol &&
           node_port.address.is_v4() == v4 && !node_port.address.is_loopback();
}

}  // namespace sallyport
