// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A service is a line `TCP  0A600001:01BB rr`, and its servers follow it: `  -> 0A6C0004:192B Masq 1 0 0`. IPv6
// addresses stand in brackets, and what is told by a mark alone (`FWM`) has no address.
#include "sallyport/os/ipvs.hpp"

#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace sallyport {

namespace {

struct Endpoint
{
    Address address;
    std::uint16_t port = 0;
};

template <typename Number>
std::optional<Number> number_in(std::string_view hex)
{
    Number number = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
    return error == std::errc() && end == hex.data() + hex.size() ? std::optional(number) : std::nullopt;
}

std::optional<Address> address_in(std::string_view text)
{
    if (text.starts_with('[') && text.ends_with(']'))
        return Address::parse(text.substr(1, text.size() - 2));
    const auto number = text.size() == 8 ? number_in<std::uint32_t>(text) : std::nullopt;
    if (!number)
        return std::nullopt;
    Address::Bytes bytes = Address::any_v4().bytes();
    for (std::size_t i = 0; i < 4; ++i)
        bytes[12 + i] = static_cast<std::uint8_t>(*number >> (24 - 8 * i));
    return Address(bytes);
}

std::optional<Endpoint> endpoint_in(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    const auto address = address_in(text.substr(0, colon));
    const auto port = number_in<std::uint16_t>(text.substr(colon + 1));
    return address && port ? std::optional(Endpoint{*address, *port}) : std::nullopt;
}

}  // namespace

std::vector<Frontend> read_ipvs(const std::filesystem::path& list)
{
    std::vector<Frontend> frontends;
    std::ifstream lines(list);
    bool known = false;  // the service that servers follow
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string first;
        std::string second;
        words >> first >> second;
        const auto endpoint = endpoint_in(second);
        if (first == "->") {
            if (known && endpoint)
                frontends.back().backends.push_back(
                    {endpoint->address, PodPort{endpoint->port}, frontends.back().at.protocol});
            continue;
        }
        const auto protocol = parse_protocol(first);
        known = protocol && endpoint;
        if (known)
            frontends.push_back({.at = {endpoint->address, HostPort{endpoint->port}, *protocol}, .by = "IPVS"});
    }
    return frontends;
}

}  // namespace sallyport
