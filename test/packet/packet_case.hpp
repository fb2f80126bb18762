// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Test cases that say which program they try, on which kinds of packets, so that completeness_test.cpp can tell what
// nobody tries. A case that doesn't keep its word, and runs something else, fails.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <netinet/in.h>

#include <array>
#include <compare>
#include <cstdint>
#include <ostream>
#include <set>
#include <string>

namespace sallyport::test {

struct Kind
{
    bool v6 = false;
    std::uint8_t protocol = IPPROTO_TCP;

    bool tcp() const { return protocol == IPPROTO_TCP; }
    auto operator<=>(const Kind&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Kind& kind);

inline constexpr std::array<Kind, 2> over_tcp{{{false, IPPROTO_TCP}, {true, IPPROTO_TCP}}};
inline constexpr std::array<Kind, 2> over_udp{{{false, IPPROTO_UDP}, {true, IPPROTO_UDP}}};
inline constexpr std::array<Kind, 2> over_ipv4{{{false, IPPROTO_TCP}, {false, IPPROTO_UDP}}};
inline constexpr std::array<Kind, 2> over_ipv6{{{true, IPPROTO_TCP}, {true, IPPROTO_UDP}}};
inline constexpr std::array<Kind, 4> every_kind{
    {{false, IPPROTO_TCP}, {false, IPPROTO_UDP}, {true, IPPROTO_TCP}, {true, IPPROTO_UDP}}};

/// Errors about the others; what one is about, the case itself says.
inline constexpr std::array<Kind, 2> over_icmp{{{false, IPPROTO_ICMP}, {true, IPPROTO_ICMPV6}}};

struct Pair
{
    std::string program;
    Kind kind;

    auto operator<=>(const Pair&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Pair& pair);

/// What the cases in this executable claim to try.
std::set<Pair>& claimed();

/// What the running case has tried; the fixture writes it.
std::set<Pair>& tried();

struct Claim
{
    template <typename Kinds>
    Claim(const char* program, const Kinds& kinds)
    {
        for (const Kind& kind : kinds)
            claimed().insert({program, kind});
    }
};

}  // namespace sallyport::test

#define PACKET_JOIN(a, b) a##b
#define PACKET_NAME(prefix, number) PACKET_JOIN(prefix, number)

/// PACKET_CASE("node_ingress", "what must hold", every_kind) { ... kind ... } runs once for each kind.
#define PACKET_CASE(program, sentence, kinds) PACKET_CASE_NUMBERED(program, sentence, kinds, __COUNTER__)

#define PACKET_CASE_NUMBERED(program, sentence, kinds, number)                                                         \
    PACKET_CASE_NAMED(program, sentence, kinds, PACKET_NAME(packet_case_, number), PACKET_NAME(claim_, number))

#define PACKET_CASE_NAMED(program, sentence, kinds, body, claim)                                                       \
    static void body(::sallyport::test::Kind kind);                                                                    \
    static const ::sallyport::test::Claim claim{program, kinds};                                                       \
    TEST_CASE(program ": " sentence, "[" program "]")                                                                  \
    {                                                                                                                  \
        const auto kind_of_packet = GENERATE(from_range((kinds).begin(), (kinds).end()));                              \
        CAPTURE(kind_of_packet);                                                                                       \
        ::sallyport::test::tried().clear();                                                                            \
        body(kind_of_packet);                                                                                          \
        CHECK(::sallyport::test::tried().count({program, kind_of_packet}) == 1);                                       \
    }                                                                                                                  \
    static void body([[maybe_unused]] ::sallyport::test::Kind kind)
