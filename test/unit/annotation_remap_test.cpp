// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The annotations beside `expose`: remap, settle and hold.
#include "sallyport/annotation.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace std::chrono_literals;
using sallyport::test::require_refusal;

namespace {

std::vector<Wish> remaps(const std::string& value)
{
    return parse_wishes({{"sallyport.dev/remap", value}}, {}).remap;
}

void require_remap_refused(const std::string& value, std::initializer_list<std::string> parts)
{
    INFO(value.substr(0, 200));
    require_refusal([&] { remaps(value); }, Code::bad_annotation, {"annotation sallyport.dev/remap: "});
    require_refusal([&] { remaps(value); }, Code::bad_annotation, parts);
}

std::string remap_items(std::size_t count)
{
    std::string value = "1:50001";
    for (std::size_t port = 2; port <= count; ++port)
        value += "," + std::to_string(port) + ":" + std::to_string(50'000 + port);
    return value;
}

}  // namespace

TEST_CASE("a remap names a port of the pod, the container port and maybe the protocol")
{
    const std::vector<Wish> wishes = remaps("80:9080, 443:9443/tcp,\n443:9443/UDP\n");
    REQUIRE(wishes.size() == 3);
    CHECK(wishes[0].host_port == HostPort{80});
    CHECK(wishes[0].pod_port == PodPort{9080});
    CHECK(wishes[0].protocol == Protocol::tcp);
    CHECK(wishes[1].text == "443:9443/tcp");
    CHECK(wishes[2].protocol == Protocol::udp);
    for (const Wish& wish : wishes)
        CHECK_FALSE(wish.host_address);
}

TEST_CASE("a remap alone makes a pod ours, and exposes nothing")
{
    const Wishes wishes = parse_wishes({{"sallyport.dev/remap", "80:9080"}}, {});
    CHECK_FALSE(wishes.empty());
    CHECK(wishes.expose.empty());
    CHECK(wishes.port_mappings.empty());
}

TEST_CASE("several ports may lead to one listener, and one port by each protocol")
{
    CHECK(remaps("80:9080, 8080:9080, 443:9443/udp, 9080:9443/udp").size() == 4);
}

TEST_CASE("what isn't a remap is refused, with advice")
{
    struct Case
    {
        std::string value, place, reason;
    };
    const auto [value, place, reason] = GENERATE(
        Case{"", "", "is empty; write podPort:containerPort[/tcp|udp], such as 80:9080, or remove it"},
        Case{"80", "item 1 \"80\" (column 1)", "has no container port; write podPort:containerPort[/tcp|udp]"},
        Case{"80:9080,", "item 2 \"\" (column 9)", "is empty; write podPort:containerPort[/tcp|udp]"},
        Case{"80:9080,443:99999", "item 2 \"443:99999\" (column 9)", "\"99999\" isn't a port; write 1 to 65535"},
        Case{"0:9080", "column 1", "\"0\" isn't a port"},
        Case{"80:9080/sctp", "column 1", "checksum (CRC32c) covers the ports"},
        Case{"192.0.2.7:80:9080", "item 1 \"192.0.2.7:80:9080\" (column 1)",
             "a remap is at the pod's own; write podPort"},
        Case{"81:1, [2001:db8::1]:80:9080", "item 2", "a remap is at the pod's own"},
        Case{"2001:db8::1:80:9080", "column 1", "has an address"},
        Case{"80:9080, 80:9081", "item 2 \"80:9081\" (column 10)", "remaps the same port as item 1 \"80:9080\""},
        Case{"80:9080/udp, 80:9081/UDP", "item 2", "remaps the same port as item 1 \"80:9080/udp\""},
        Case{"443:9443, 80:80/tcp", "item 2 \"80:80/tcp\" (column 11)", "leads from port 80 to itself"},
        Case{"80:8080, 8080:9080", "item 1 \"80:8080\" (column 1)",
             "leads to port 8080, which item 2 \"8080:9080\" remaps; write the port where the pod listens"},
        Case{"8080:80, 80:8080", "item 1 \"8080:80\"", "leads to port 80, which item 2"});
    require_remap_refused(value, {place, reason});
}

TEST_CASE("expose and remap may have 1024 items together")
{
    CHECK(remaps(remap_items(1024)).size() == 1024);
    require_remap_refused(remap_items(1025), {"has 1025 items; a pod may have at most 1024"});

    const auto both = [](std::size_t exposed, std::size_t remapped) {
        return parse_wishes(
            {{"sallyport.dev/expose", remap_items(exposed)}, {"sallyport.dev/remap", remap_items(remapped)}}, {});
    };
    CHECK(both(512, 512).expose.size() == 512);
    require_refusal([&] { both(512, 513); }, Code::bad_annotation,
                    {"annotation sallyport.dev/expose with sallyport.dev/remap: has 1025 items; a pod may have at "
                     "most 1024"});
}

TEST_CASE("settle and hold are durations of up to a minute; unwritten, 200 ms and 0")
{
    CHECK(parse_wishes({}, {}).sharing == Sharing{Share::newest, 200ms, 0s});
    const Wishes wishes = parse_wishes(
        {{"sallyport.dev/settle", "1500ms"}, {"sallyport.dev/hold", "30s"}, {"sallyport.dev/share", "spread"}}, {});
    CHECK(wishes.sharing == Sharing{Share::spread, 1500ms, 30s});
    CHECK(wishes.empty());  // they expose nothing
    for (const std::string longest : {"1m", "60s", "60000ms"})
        CHECK(parse_wishes({{"sallyport.dev/hold", longest}}, {}).sharing.hold == 60s);
    for (const std::string none : {"0", "0s", "0ms"})
        CHECK(parse_wishes({{"sallyport.dev/settle", none}}, {}).sharing.settle == 0s);
}

TEST_CASE("another duration is refused, quoting it")
{
    struct Case
    {
        std::string value, reason;
    };
    const std::string advice = "; write 0s to 60s, a whole number of ms, s or m";
    const std::string key = GENERATE("sallyport.dev/settle", "sallyport.dev/hold");
    const auto [value, reason] =
        GENERATE(Case{"", "an empty text isn't a duration"}, Case{"soon", "\"soon\" isn't a duration"},
                 Case{"5", "\"5\" isn't a duration"}, Case{"1.5s", "\"1.5s\" isn't a duration"},
                 Case{"-1s", "\"-1s\" isn't a duration"}, Case{"1h", "\"1h\" isn't a duration"},
                 Case{"61s", "\"61s\" is too long"}, Case{"60001ms", "\"60001ms\" is too long"},
                 Case{"2m", "\"2m\" is too long"}, Case{"5s\n", "\"5s\\x0a\" isn't a duration"});
    require_refusal([&] { parse_wishes({{key, value}}, {}); }, Code::bad_annotation,
                    {"annotation " + key + ": " + reason + advice});
}
