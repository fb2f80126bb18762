// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/address.hpp"

#include "unit/parsed.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <random>

using namespace sallyport;

namespace {}  // namespace

TEST_CASE("an address has one text for each value")
{
    struct Case
    {
        std::string_view in, out;
        bool v4;
    };
    const auto [in, out, v4] =
        GENERATE(Case{"192.0.2.1", "192.0.2.1", true}, Case{"0.0.0.0", "0.0.0.0", true},
                 Case{"::ffff:192.0.2.1", "192.0.2.1", true}, Case{"::ffff:c000:201", "192.0.2.1", true},
                 Case{"::", "::", false}, Case{"2001:DB8:0:0::1", "2001:db8::1", false},
                 Case{"::192.0.2.1", "::192.0.2.1", false});
    INFO(in);
    CHECK(address(in).to_string() == out);
    CHECK(address(in).is_v4() == v4);
}

TEST_CASE("IPv4 is held v4-mapped, in network byte order")
{
    CHECK(address("1.2.3.4").bytes() == Address::Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4});
}

TEST_CASE("what isn't an address is none")
{
    using namespace std::string_view_literals;
    const auto text = GENERATE(""sv, " "sv, "1.2.3"sv, "1.2.3.4 "sv, " 1.2.3.4"sv, "1.2.3.256"sv, "01.2.3.4"sv,
                               "0x1.2.3.4"sv, "1.2.3.4.5"sv, "[::1]"sv, "::1%lo"sv, "::1/128"sv, "1.2.3.4/32"sv,
                               "node"sv, "1.2.3.4\0"sv, "1.2.3.4\0.5"sv, ":::"sv, "1:2:3:4:5:6:7:8:9"sv);
    INFO(text);
    CHECK_FALSE(Address::parse(text));
}

TEST_CASE("parse(to_string(address)) is the address")
{
    std::mt19937 random(1);
    for (int i = 0; i < 5000; ++i) {
        Address::Bytes bytes = i % 2 == 0 ? Address::any_v4().bytes() : Address::Bytes{};
        for (std::size_t byte = i % 2 == 0 ? 12 : 0; byte < bytes.size(); ++byte)
            bytes[byte] = static_cast<std::uint8_t>(random() % 4 == 0 ? 0 : random());  // runs of zeros are shortened
        const Address original(bytes);
        INFO(original.to_string());
        REQUIRE(Address::parse(original.to_string()) == original);
    }
}

TEST_CASE("special addresses are told apart from ordinary ones")
{
    struct Case
    {
        std::string_view text;
        bool any, loopback, multicast;
    };
    const auto [text, any, loopback, multicast] = GENERATE(
        Case{"0.0.0.0", true, false, false}, Case{"::", true, false, false}, Case{"127.0.0.1", false, true, false},
        Case{"127.255.0.9", false, true, false}, Case{"::1", false, true, false}, Case{"224.0.0.1", false, false, true},
        Case{"239.255.255.255", false, false, true}, Case{"ff02::1", false, false, true},
        Case{"223.255.255.255", false, false, false}, Case{"240.0.0.1", false, false, false},
        Case{"126.0.0.1", false, false, false}, Case{"128.0.0.1", false, false, false},
        Case{"::2", false, false, false}, Case{"1::1", false, false, false}, Case{"fe80::1", false, false, false},
        Case{"::127.0.0.1", false, false, false});
    INFO(text);
    CHECK(address(text).is_any() == any);
    CHECK(address(text).is_loopback() == loopback);
    CHECK(address(text).is_multicast() == multicast);
}

TEST_CASE("of loopback one address is localhost, and link-local ones are told apart")
{
    for (const char* const localhost : {"127.0.0.1", "::1", "::ffff:127.0.0.1"})
        CHECK(address(localhost).is_localhost());
    for (const char* const other : {"127.0.0.53", "127.0.1.1", "127.1.0.1", "128.0.0.1", "::2", "0.0.0.1"})
        CHECK_FALSE(address(other).is_localhost());
    for (const char* const link_local : {"169.254.20.10", "169.254.0.0", "fe80::1", "febf:ffff::1"})
        CHECK(address(link_local).is_link_local());
    for (const char* const other : {"169.253.20.10", "169.255.0.1", "fec0::1", "fe00::1", "fd00::1", "192.0.2.1"})
        CHECK_FALSE(address(other).is_link_local());
}

TEST_CASE("the anys of the two families differ")
{
    CHECK(Address::any_v4() != Address::any_v6());
    CHECK(Address() == Address::any_v6());
    CHECK(Address::any_v4().to_string() == "0.0.0.0");
    CHECK(Address::any_v6().to_string() == "::");
}

TEST_CASE("only IPv6 takes brackets")
{
    CHECK(bracketed(address("192.0.2.1")) == "192.0.2.1");
    CHECK(bracketed(address("2001:db8::1")) == "[2001:db8::1]");
}

TEST_CASE("an interface's address may have a length and host bits")
{
    CHECK(Address::parse_with_length("10.0.1.7/24") == address("10.0.1.7"));
    CHECK(Address::parse_with_length("10.0.1.7") == address("10.0.1.7"));
    CHECK(Address::parse_with_length("fd00::7/64") == address("fd00::7"));
    const auto bad = GENERATE("10.0.1.7/33", "fd00::7/129", "10.0.1.7/", "10.0.1.7/-1", "10.0.1.7/24x", "/24", "");
    INFO(bad);
    CHECK_FALSE(Address::parse_with_length(bad));
}

TEST_CASE("a prefix keeps its family's length in text, and counts 16-byte bits inside")
{
    struct Case
    {
        std::string_view in, out;
        unsigned length;
    };
    const auto [in, out, length] =
        GENERATE(Case{"192.0.2.0/24", "192.0.2.0/24", 120}, Case{"192.0.2.7", "192.0.2.7/32", 128},
                 Case{"0.0.0.0/0", "0.0.0.0/0", 96}, Case{"192.0.2.7/32", "192.0.2.7/32", 128},
                 Case{"2001:db8::/64", "2001:db8::/64", 64}, Case{"2001:db8::1", "2001:db8::1/128", 128},
                 Case{"::/0", "::/0", 0}, Case{"::ffff:192.0.2.0/120", "192.0.2.0/24", 120},
                 Case{"128.0.0.0/1", "128.0.0.0/1", 97});
    INFO(in);
    CHECK(prefix(in).to_string() == out);
    CHECK(prefix(in).length == length);
    CHECK(Prefix::parse(prefix(in).to_string()) == prefix(in));
}

TEST_CASE("what isn't a prefix is none")
{
    const auto text =
        GENERATE("", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/24 ", "192.0.2.0/+24",
                 "192.0.2.0/-1", "192.0.2.0/024", "192.0.2.0/24/1", "2001:db8::/129", "2001:db8::1/64",
                 "192.0.2.0/255.255.255.0", "192.0.2.0/99999999999", "1.2.3.4/31x", "::ffff:192.0.2.0/90");
    INFO(text);
    CHECK_FALSE(Prefix::parse(text));
}

TEST_CASE("a prefix contains the addresses that share its bits, of its own family only")
{
    struct Case
    {
        std::string_view prefix, address;
        bool contained;
    };
    const auto [range, candidate, contained] = GENERATE(
        Case{"192.0.2.0/24", "192.0.2.255", true}, Case{"192.0.2.0/24", "192.0.3.0", false},
        Case{"192.0.2.0/25", "192.0.2.127", true}, Case{"192.0.2.0/25", "192.0.2.128", false},
        Case{"192.0.2.7", "192.0.2.7", true}, Case{"192.0.2.7", "192.0.2.6", false}, Case{"0.0.0.0/0", "8.8.8.8", true},
        Case{"0.0.0.0/0", "2001:db8::1", false}, Case{"::/0", "2001:db8::1", true}, Case{"::/0", "8.8.8.8", false},
        Case{"2001:db8::/63", "2001:db8:0:1::1", true}, Case{"2001:db8::/63", "2001:db8:0:2::1", false});
    INFO(range << " " << candidate);
    CHECK(prefix(range).contains(address(candidate)) == contained);
}
