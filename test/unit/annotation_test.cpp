// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/annotation.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace std::string_literals;
using sallyport::test::require_refusal;

namespace {

std::vector<Wish> expose(const std::string& value)
{
    return parse_wishes({{"sallyport.dev/expose", value}}, {}).expose;
}

void require_refused(const std::string& value, std::initializer_list<std::string> parts)
{
    INFO(value.substr(0, 200));
    require_refusal([&] { expose(value); }, Code::bad_annotation, {"annotation sallyport.dev/expose: "});
    require_refusal([&] { expose(value); }, Code::bad_annotation, parts);
}

std::string items(std::size_t count)
{
    std::string value = "1:1";
    for (std::size_t port = 2; port <= count; ++port)
        value += "," + std::to_string(port) + ":" + std::to_string(port);
    return value;
}

}  // namespace

TEST_CASE("an item names node port, container port and maybe protocol and address")
{
    struct Case
    {
        std::string item, address;
        unsigned host, pod;
        Protocol protocol;
    };
    const auto [item, address, host, pod, protocol] =
        GENERATE(Case{"80:9080", "", 80, 9080, Protocol::tcp}, Case{"1:65535", "", 1, 65535, Protocol::tcp},
                 Case{"65535:1", "", 65535, 1, Protocol::tcp}, Case{"443:9443/tcp", "", 443, 9443, Protocol::tcp},
                 Case{"443:9443/udp", "", 443, 9443, Protocol::udp}, Case{"443:9443/UDP", "", 443, 9443, Protocol::udp},
                 Case{"192.0.2.7:80:9080", "192.0.2.7", 80, 9080, Protocol::tcp},
                 Case{"0.0.0.0:80:9080/udp", "0.0.0.0", 80, 9080, Protocol::udp},
                 Case{"[2001:db8::1]:80:9080", "2001:db8::1", 80, 9080, Protocol::tcp},
                 Case{"[::]:80:9080/udp", "::", 80, 9080, Protocol::udp});
    INFO(item);
    for (const std::string& written : {item, " " + item + "\t\n"}) {
        const std::vector<Wish> wishes = expose(written);
        REQUIRE(wishes.size() == 1);
        CHECK(wishes[0].host_address == Address::parse(address));
        CHECK(number(wishes[0].host_port) == host);
        CHECK(number(wishes[0].pod_port) == pod);
        CHECK(wishes[0].protocol == protocol);
        CHECK(wishes[0].text == item);
    }
}

TEST_CASE("items stand in a list, in their order, with blanks as one likes")
{
    const std::string value = GENERATE("80:9080,443:9443,443:9443/udp", "80:9080, 443:9443, 443:9443/udp",
                                       "  80:9080 ,\n443:9443\n,\t443:9443/udp\n");
    const std::vector<Wish> wishes = expose(value);
    REQUIRE(wishes.size() == 3);
    CHECK(wishes[0].text == "80:9080");
    CHECK(wishes[1].text == "443:9443");
    CHECK(wishes[2].text == "443:9443/udp");
}

TEST_CASE("one port may be had by address, protocol or container port")
{
    CHECK(expose("192.0.2.7:80:1,192.0.2.8:80:1,[2001:db8::1]:80:1,192.0.2.7:80:1/udp,81:1,82:1").size() == 6);
}

TEST_CASE("the example of the manual reads as it says")
{
    require_refused("80:9080,80:99999", {R"(item 2 "80:99999" (column 9): "99999" isn't a port; write 1 to 65535)"});
}

TEST_CASE("a wrong port is quoted, with item and column")
{
    const std::string port = GENERATE("0", "65536", "99999", "-1", "+80", "080", "http", "0x50", "80.0", "4294967376");
    require_refused("1:1, " + port + ":9080",
                    {"item 2 \"" + port + ":9080\" (column 6): \"" + port + "\" isn't a port; write 1 to 65535"});
    require_refused("1:1,2:2,  80:" + port, {"item 3 \"80:" + port + "\" (column 11): \"" + port + "\" isn't a port"});
}

TEST_CASE("what isn't an item is refused, with advice")
{
    struct Case
    {
        std::string value, place, reason;
    };
    const auto [value, place, reason] = GENERATE(
        Case{"80", "item 1 \"80\" (column 1)",
             "has no container port; write [hostIP:]hostPort:containerPort[/tcp|udp]"},
        Case{"80/tcp", "item 1 \"80/tcp\" (column 1)", "has no container port"},
        Case{"80:", "item 1 \"80:\" (column 1)", "an empty text isn't a port"},
        Case{":80", "item 1 \":80\" (column 1)", "an empty text isn't a port"},
        Case{":80:9080", "column 1", "\"\" isn't an IP address"},
        Case{"node:80:9080", "column 1", "\"node\" isn't an IP address"},
        Case{"192.0.2.256:80:9080", "column 1", "\"192.0.2.256\" isn't an IP address"},
        Case{"2001:db8::1:80:9080", "column 1", "an IPv6 address must stand in brackets"},
        Case{"80:9080:1:1", "column 1", "an IPv6 address must stand in brackets"},
        Case{"[192.0.2.7]:80:9080", "column 1", "\"192.0.2.7\" isn't an IPv6 address"},
        Case{"[fe80::1%eth0]:80:9080", "column 1", "\"fe80::1%eth0\" isn't an IPv6 address"},
        Case{"[]:80:9080", "column 1", "\"\" isn't an IPv6 address"},
        Case{"[::1:80:9080", "column 1", "expected \"]:\""}, Case{"[::1]80:9080", "column 1", "expected \"]:\""},
        Case{"[::1]", "column 1", "expected \"]:\""}, Case{"[", "column 1", "expected \"]:\""},
        Case{"[::1]:80", "column 1", "has no container port"}, Case{"80:9080/", "column 1", "\"\" isn't a protocol"},
        Case{"80:9080/quic", "column 1", "\"quic\" isn't a protocol"},
        Case{"80:9080/tcp/udp", "column 1", "\"tcp/udp\" isn't a protocol"},
        Case{"80:9080/tcp,udp", "item 2 \"udp\" (column 13)", "has no container port"});
    require_refused(value, {place, reason});
}

TEST_CASE("what other lists are written like is told apart, with what to write")
{
    struct Case
    {
        std::string value, reason;
    };
    const auto [value, reason] = GENERATE(
        Case{"80:9080 443:9443", "has a blank inside; separate items with commas"},
        Case{"80:9080\n443:9443\n", "has a blank inside; separate items with commas"},
        Case{"80: 9080", "has a blank inside"}, Case{"80:9080;443:9443", "has a semicolon; separate items with commas"},
        Case{"80:9080; 443:9443", "has a semicolon"},
        Case{"80-90:9080-9090", "has a range; write an item for each port"}, Case{"80:9080-9090", "has a range"},
        Case{"192.0.2.7:80-90:9080", "has a range"},
        Case{"80:9080:tcp", "has its protocol after a colon; write a slash, as in 80:9080/tcp"},
        Case{"192.0.2.7:80:9080:UDP", "has its protocol after a colon; write a slash, as in 80:9080/UDP"},
        Case{"80:9080\u00a0", "has U+00A0 (no-break space) in column 8; remove it"},
        Case{"\ufeff80:9080", "has U+FEFF (byte order mark) in column 1"},
        Case{"80:\u200b9080", "has U+200B (zero width space) in column 4"},
        Case{"80\uff1a9080", "has U+FF1A (fullwidth colon) in column 3"},
        Case{"80:9080\u201d", "has U+201D in column 8"}, Case{"80:9080\xff", "has the byte 0xff, which isn't UTF-8"});
    require_refused("1:1," + value, {"item 2 \"", "(column 5)"});
    require_refused(value, {reason});
}

TEST_CASE("SCTP is refused with the reason")
{
    const std::string value = GENERATE("80:9080/sctp", "80:9080/SCTP");
    require_refused(value, {value, "checksum (CRC32c) covers the ports", "use tcp or udp"});
}

TEST_CASE("empty items are typing errors")
{
    struct Case
    {
        std::string value, place;
    };
    const auto [value, place] =
        GENERATE(Case{"80:9080,", "item 2 \"\" (column 9)"}, Case{",80:9080", "item 1 \"\" (column 1)"},
                 Case{"80:9080, ,81:1", "item 2 \"\" (column 10)"}, Case{",", "item 1 \"\" (column 1)"},
                 Case{"80:9080,,81:1", "item 2 \"\" (column 9)"});
    require_refused(value, {place, "is empty; write", "remove the comma"});
    require_refused("", {"is empty; write"});
    require_refused(" \n", {"is empty; write"});
}

TEST_CASE("a node port that stands twice is refused, naming both items")
{
    struct Case
    {
        std::string value, first, second;
    };
    const auto [value, first, second] =
        GENERATE(Case{"80:9080, 80:9080", "item 1 \"80:9080\"", "item 2 \"80:9080\" (column 10)"},
                 Case{"80:9080,443:1,80:9081/tcp", "item 1 \"80:9080\"", "item 3 \"80:9081/tcp\" (column 15)"},
                 Case{"192.0.2.7:80:1,[::ffff:192.0.2.7]:80:1", "item 1 \"192.0.2.7:80:1\"", "item 2"},
                 Case{"[2001:db8::1]:80:1,[2001:DB8:0::1]:80:2", "item 1", "item 2"});
    require_refused(value, {first, second, "remove one of them"});
}

TEST_CASE("a pod may have 1024 items, and is told how many it has beyond")
{
    CHECK(expose(items(max_exposures_of_a_pod)).size() == 1024);
    require_refused(items(max_exposures_of_a_pod + 1), {"has 1025 items; a pod may have at most 1024"});
    require_refused(items(10'000), {"has 10000 items; a pod may have at most 1024"});
    require_refused(std::string(9'999, ','), {"has 10000 items"});
}

TEST_CASE("no value is quoted at length, and no control character goes to the log")
{
    require_refused(std::string(100'000, '8'), {"item 1 \"8888", "...\" (column 1): has no container port"});
    require_refused("80:" + std::string(100'000, 'x'), {"xxx...\" isn't a port"});
    require_refused("80:9080\x1b[31m", {"9080\\x1b[31m"});
    require_refused("80:9080\0"s, {"9080\\x00"});
}

TEST_CASE("share is newest unless spread is asked for")
{
    CHECK(parse_wishes({}, {}).sharing.share == Share::newest);
    CHECK(parse_wishes({{"sallyport.dev/share", "newest"}}, {}).sharing.share == Share::newest);
    CHECK(parse_wishes({{"sallyport.dev/share", "spread"}}, {}).sharing.share == Share::spread);
    const std::string value = GENERATE("", "Spread", "oldest", " spread");
    require_refusal([&] { parse_wishes({{"sallyport.dev/share", value}}, {}); }, Code::bad_annotation,
                    {"annotation sallyport.dev/share: \"" + value + "\" is unknown; write newest or spread"});
}

TEST_CASE("a key that is nearly ours is refused")
{
    require_refusal([] { parse_wishes({{"sallyport.dev/exposed", "80:9080"}}, {}); }, Code::bad_annotation,
                    {"\"sallyport.dev/exposed\"", "did you mean \"sallyport.dev/expose\"?"});
    require_refusal([] { parse_wishes({{"sallyport.dev/timeout", "1"}}, {}); }, Code::bad_annotation,
                    {"known are sallyport.dev/expose, sallyport.dev/remap, sallyport.dev/share"});
    require_refusal([] { parse_wishes({{"sallyport.dev/", "1"}}, {}); }, Code::bad_annotation, {"\"sallyport.dev/\""});
}

TEST_CASE("other people's annotations are none of our business")
{
    const Wishes wishes = parse_wishes({{"example.com/sallyport.dev/expose", "x"},
                                        {"sallyport.devel/expose", "x"},
                                        {"sallyport.dev", "x"},
                                        {"expose", "x"},
                                        {"Sallyport.dev/expose", "x"}},
                                       {});
    CHECK(wishes.empty());
}

TEST_CASE("port mappings become wishes of their own")
{
    const Wishes wishes = parse_wishes({}, {{std::nullopt, HostPort{80}, PodPort{9080}, Protocol::tcp},
                                            {Address::parse("fd00::1"), HostPort{53}, PodPort{5353}, Protocol::udp}});
    CHECK_FALSE(wishes.empty());
    CHECK(wishes.expose.empty());
    REQUIRE(wishes.port_mappings.size() == 2);
    CHECK(wishes.port_mappings[0].text == "hostPort 80/tcp");
    CHECK(wishes.port_mappings[1].text == "hostPort [fd00::1]:53/udp");
    CHECK(wishes.port_mappings[1].host_address == Address::parse("fd00::1"));
    CHECK(wishes.port_mappings[1].host_port == HostPort{53});
    CHECK(wishes.port_mappings[1].pod_port == PodPort{5353});
    CHECK(wishes.port_mappings[1].protocol == Protocol::udp);
}
