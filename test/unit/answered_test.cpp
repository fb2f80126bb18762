// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whose addresses are the node's, and on which of them node ports are answered.
#include "sallyport/answered.hpp"

#include "unit/parsed.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;

namespace {

Device device(int ifindex, const std::string& name, int master = 0)
{
    Device made;
    made.ifindex = ifindex;
    made.name = name;
    made.master = master;
    return made;
}

LocalAddress at(int ifindex, const char* address)
{
    return {.address = *Address::parse(address), .ifindex = ifindex};
}

std::vector<std::string> texts(const std::vector<Address>& addresses)
{
    std::vector<std::string> texts;
    for (const Address& address : addresses)
        texts.push_back(address.to_string());
    return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the node's own addresses are those of its outside devices, each once")
{
    NodeNetwork node;
    node.devices = {device(1, "lo"), device(2, "eth0"), device(3, "kube-ipvs0"), device(4, "lxc7"), device(5, "eth1")};
    node.addresses = {at(1, "127.0.0.1"), at(1, "10.9.9.9"),   at(2, "192.0.2.7"), at(2, "fd00::7"),
                      at(3, "10.96.0.1"), at(4, "10.1.0.1"),   at(5, "192.0.2.7"), at(5, "198.51.100.7"),
                      at(2, "fe80::2"),   at(5, "169.254.7.7")};
    CHECK(texts(own_addresses(node, {node.devices[1], node.devices[4]})) ==
          Texts{"192.0.2.7", "198.51.100.7", "fd00::7"});
    CHECK(texts(own_addresses(node, {node.devices[4]})) == Texts{"192.0.2.7", "198.51.100.7"});
    CHECK(own_addresses(node, {}).empty());
}

TEST_CASE("a port's address may be its bridge's, and a bond may be a bridge's port")
{
    NodeNetwork node;
    node.devices = {device(2, "eth0", 3), device(3, "bond0", 4), device(4, "br0"), device(5, "br1", 5)};
    node.addresses = {at(4, "192.0.2.7"), at(5, "198.51.100.7")};
    CHECK(texts(own_addresses(node, {node.devices[0]})) == Texts{"192.0.2.7"});
    CHECK(texts(own_addresses(node, {node.devices[3]})) == Texts{"198.51.100.7"});  // and ends
}

TEST_CASE("what a default route to the outside names as its source is the node's, wherever it stands")
{
    NodeNetwork node;
    node.devices = {device(1, "lo"), device(2, "eth0")};
    node.addresses = {at(1, "10.0.0.7"), at(1, "10.9.9.9"), at(2, "fe80::2")};
    node.default_sources = {{*Address::parse("10.0.0.7"), 2}, {*Address::parse("fe80::2"), 2}};
    CHECK(texts(own_addresses(node, {node.devices[1]})) == Texts{"10.0.0.7"});
    node.default_sources.front().ifindex = 3;  // by a device that isn't for the outside
    CHECK(own_addresses(node, {node.devices[1]}).empty());
}

TEST_CASE("the longest prefix decides, and without one whether the address is the node's own")
{
    const Answered answered{
        .own = {*Address::parse("192.0.2.7"), *Address::parse("192.0.2.8")},
        .configured = {prefix("198.51.100.0/24"), prefix("198.51.100.16/30"), prefix("2001:db8::/32")},
        .excluded = {prefix("192.0.2.8"), prefix("198.51.100.16/28"), prefix("198.51.100.9")}};
    const auto contains = [&](const char* address) { return answered.contains(*Address::parse(address)); };
    CHECK(contains("192.0.2.7"));
    CHECK_FALSE(contains("192.0.2.8"));
    CHECK_FALSE(contains("192.0.2.9"));
    CHECK(contains("198.51.100.8"));
    CHECK_FALSE(contains("198.51.100.9"));
    CHECK(contains("198.51.100.17"));
    CHECK_FALSE(contains("198.51.100.20"));
    CHECK(contains("2001:db8::1"));
    CHECK_FALSE(contains("2001:db9::1"));
    CHECK_FALSE(contains("127.0.0.1"));
}

TEST_CASE("none of the node's own, only what is named")
{
    const Answered answered{.own = {*Address::parse("192.0.2.7"), *Address::parse("fd00::7")},
                            .configured = {prefix("192.0.2.100")},
                            .excluded = {prefix("0.0.0.0/0")}};
    CHECK_FALSE(answered.contains(*Address::parse("192.0.2.7")));
    CHECK(answered.contains(*Address::parse("192.0.2.100")));
    CHECK(answered.contains(*Address::parse("fd00::7")));
}
