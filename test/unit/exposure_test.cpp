// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/exposure.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace sallyport;
using namespace std::string_view_literals;

TEST_CASE("every port's decimal number is read")
{
    for (unsigned port = 1; port <= 65535; ++port)
        REQUIRE(parse_port(std::to_string(port)) == port);
}

TEST_CASE("nothing else is a port")
{
    const auto text =
        GENERATE(""sv, "0"sv, "00"sv, "65536"sv, "99999"sv, "4294967376"sv, "18446744073709551696"sv, "-1"sv, "+80"sv,
                 " 80"sv, "80 "sv, "080"sv, "8o"sv, "0x50"sv, "80.0"sv, "8e1"sv, "80\0"sv, "http"sv);
    INFO(text);
    CHECK_FALSE(parse_port(text));
}

TEST_CASE("a protocol is named in any case")
{
    CHECK(parse_protocol("tcp") == Protocol::tcp);
    CHECK(parse_protocol("TCP") == Protocol::tcp);
    CHECK(parse_protocol("Udp") == Protocol::udp);
    for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
        CHECK(parse_protocol(name(protocol)) == protocol);
    const auto text = GENERATE(""sv, "sctp"sv, "tcp6"sv, "tc"sv, "tcp\0"sv, "6"sv, " tcp"sv);
    INFO(text);
    CHECK_FALSE(parse_protocol(text));
}

TEST_CASE("the refusal of SCTP gives the reason")
{
    using Catch::Matchers::ContainsSubstring;
    CHECK_THAT(why_no_protocol("SCTP"),
               ContainsSubstring("checksum (CRC32c) covers the ports") && ContainsSubstring("tcp or udp"));
    CHECK_THAT(why_no_protocol("quic"), ContainsSubstring("\"quic\"") && ContainsSubstring("tcp or udp"));
}

TEST_CASE("values have the texts that messages and status show")
{
    CHECK(NodePort{Address::any_v4(), HostPort{80}, Protocol::tcp}.to_string() == "0.0.0.0:80/tcp");
    CHECK(NodePort{Address::any_v6(), HostPort{443}, Protocol::udp}.to_string() == "[::]:443/udp");
    CHECK(Backend{*Address::parse("10.0.1.7"), PodPort{9080}, Protocol::tcp}.to_string() == "10.0.1.7:9080/tcp");
    CHECK(Backend{*Address::parse("fd00::7"), PodPort{65535}, Protocol::udp}.to_string() == "[fd00::7]:65535/udp");
    CHECK(name(Share::newest) == "newest");
    CHECK(name(Share::spread) == "spread");
}

TEST_CASE("node ports overlap where one packet could match both")
{
    struct Case
    {
        const char *a, *b;
        bool overlapping;
    };
    const auto [a, b, overlapping] =
        GENERATE(Case{"192.0.2.1", "192.0.2.1", true}, Case{"192.0.2.1", "192.0.2.2", false},
                 Case{"0.0.0.0", "192.0.2.1", true}, Case{"0.0.0.0", "0.0.0.0", true}, Case{"0.0.0.0", "::", false},
                 Case{"0.0.0.0", "2001:db8::1", false}, Case{"::", "192.0.2.1", false}, Case{"::", "2001:db8::1", true},
                 Case{"::", "::", true}, Case{"2001:db8::1", "2001:db8::2", false});
    INFO(a << " " << b);
    const NodePort first{*Address::parse(a), HostPort{80}, Protocol::tcp};
    NodePort second{*Address::parse(b), HostPort{80}, Protocol::tcp};
    CHECK(overlap(first, second) == overlapping);
    CHECK(overlap(second, first) == overlapping);

    second.port = HostPort{81};
    CHECK_FALSE(overlap(first, second));
    second.port = HostPort{80};
    second.protocol = Protocol::udp;
    CHECK_FALSE(overlap(first, second));
    second.protocol = Protocol::tcp;
    second.scope = Scope::pod;
    CHECK_FALSE(overlap(first, second));
}
