// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The oracle itself: it takes right translations, and finds each thing that a wrong one can have wrong.
#include "generator.hpp"
#include "oracle.hpp"
#include "packet/packet_builder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <netinet/in.h>

using namespace sallyport;
using namespace sallyport::fuzz;
using test::Packet;

namespace {

/// A client, a node with port 80, and the pod behind it; and what they say to each other.
struct Talk
{
    bool v6 = GENERATE(false, true);
    std::uint8_t protocol = GENERATE(std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP});
    Target client{v6 ? "2001:db8:7::7" : "203.0.113.7", 40000};
    Target node{v6 ? "2001:db8:1::1" : "198.51.100.1", 80};
    Target pod{v6 ? "fd00::7" : "10.0.0.7", 9080};
    Target other{v6 ? "fd00::8" : "10.0.0.8", 9080};
    Target stranger{v6 ? "fd00::9" : "10.0.0.9", 9080};
    Model model;
    Oracle oracle{model};

    Talk()
    {
        model.expose(service_of(node, protocol), {service_of(pod, protocol), service_of(other, protocol)});
        model.set_listening(service_of(pod, protocol), true);
        model.set_listening(service_of(other, protocol), true);
    }

    Packet packet(const Target& from, const Target& to) const
    {
        return {.source = from, .destination = to, .protocol = protocol};
    }

    std::optional<std::string> judge(Way way, const Bytes& before, const Bytes& after, int verdict = next_program)
    {
        return oracle.judge({way, before, after, verdict});
    }

    std::optional<std::string> judge(Way way, const Packet& before, const Packet& after)
    {
        return judge(way, before.bytes(), after.bytes());
    }

    void open() { REQUIRE_FALSE(judge(Way::in, packet(client, node), packet(client, pod))); }

    /// An error about `packet`, with all of it or only as much as must be.
    Bytes error_about(const std::string& sender, const Packet& packet, bool whole) const
    {
        Bytes embedded = packet.bytes();
        embedded.erase(embedded.begin(), embedded.begin() + ethernet);
        if (!whole)
            embedded.resize(packet.l4() - ethernet + 8);
        return icmp_message(sender, packet.source.address, v6 ? 1 : 3, 1, embedded);
    }
};

}  // namespace

TEST_CASE("the oracle takes a conversation that is translated right")
{
    Talk talk;
    talk.open();
    CHECK_FALSE(talk.judge(Way::out, talk.packet(talk.pod, talk.client), talk.packet(talk.node, talk.client)));
    CHECK(talk.oracle.counts().requests == 1);
    CHECK(talk.oracle.counts().replies == 1);

    const Packet direct = talk.packet(talk.client, talk.pod);
    CHECK_FALSE(talk.judge(Way::in, direct, direct));
    CHECK(talk.oracle.counts().untouched == 1);
}

TEST_CASE("the oracle notices every byte that isn't right afterwards")
{
    Talk talk;
    talk.open();
    const bool out = GENERATE(false, true);
    const Packet before = out ? talk.packet(talk.pod, talk.client) : talk.packet(talk.client, talk.node);
    const Bytes right = (out ? talk.packet(talk.node, talk.client) : talk.packet(talk.client, talk.pod)).bytes();
    const Way way = out ? Way::out : Way::in;
    REQUIRE_FALSE(talk.judge(way, before.bytes(), right));
    for (std::size_t at = 0; at < right.size(); at++)
        for (const unsigned bit : {0U, 3U, 7U}) {
            Bytes wrong = right;
            wrong[at] ^= static_cast<std::uint8_t>(1U << bit);
            CAPTURE(at, bit);
            CHECK(talk.judge(way, before.bytes(), wrong));
        }
    Bytes longer = right;
    longer.push_back(0);
    CHECK(talk.judge(way, before.bytes(), longer));
}

TEST_CASE("the oracle wants a wrong checksum to stay as wrong as it was")
{
    Talk talk;
    Bytes before = talk.packet(talk.client, talk.node).bytes();
    Bytes after = talk.packet(talk.client, talk.pod).bytes();
    const Bytes mended = after;
    before.back() ^= 0x55;
    after.back() ^= 0x55;
    CHECK_FALSE(talk.judge(Way::in, before, after));
    CHECK(talk.judge(Way::in, before, mended));
}

TEST_CASE("the oracle knows whose a packet is")
{
    Talk talk;
    const Packet request = talk.packet(talk.client, talk.node);
    const Packet reply = talk.packet(talk.pod, talk.client);
    const Packet translated_reply = talk.packet(talk.node, talk.client);
    CHECK(talk.judge(Way::out, reply, translated_reply));  // nobody asked
    CHECK(talk.judge(Way::in, request, talk.packet(talk.client, talk.stranger)));
    CHECK(talk.judge(Way::in, talk.packet(talk.client, talk.pod), talk.packet(talk.client, talk.other)));
    CHECK(talk.judge(Way::in, talk.packet(talk.client, {talk.node.address, 81}), talk.packet(talk.client, talk.pod)));
    CHECK(talk.judge(Way::in, request, talk.packet({talk.client.address, 40001}, talk.pod)));
    if (talk.protocol == IPPROTO_TCP) {
        Packet midstream = request, along = talk.packet(talk.client, talk.pod);
        midstream.flags = along.flags = test::tcp_flag::ack;
        CHECK(talk.judge(Way::in, midstream, along));
    }
    talk.open();
    CHECK(talk.judge(Way::out, reply, talk.packet({talk.node.address, 81}, talk.client)));
    CHECK_FALSE(talk.judge(Way::out, reply, translated_reply));
    talk.model.forget(address_of(talk.pod.address));  // and another pod has its address now
    CHECK(talk.judge(Way::out, reply, translated_reply));
}

TEST_CASE("the oracle knows who may be passed over")
{
    Talk talk;
    const Service other = service_of(talk.other, talk.protocol);
    talk.model.set_listening(service_of(talk.pod, talk.protocol), false);
    std::uint16_t client_port = 50000;
    const auto goes_to_pod = [&] {
        const Target client{talk.client.address, client_port++};
        return !talk.judge(Way::in, talk.packet(client, talk.node), talk.packet(client, talk.pod));
    };
    CHECK_FALSE(goes_to_pod());
    CHECK(talk.oracle.counts().choices == 1);
    SECTION("who said what may be a refusal, until it answers")
    {
        const Target client{talk.client.address, client_port++};
        REQUIRE_FALSE(talk.judge(Way::in, talk.packet(client, talk.node), talk.packet(client, talk.other)));
        talk.model.doubt(other);
        CHECK(goes_to_pod());
        Packet answer = talk.packet(talk.other, client), seen = talk.packet(talk.node, client);
        answer.flags = seen.flags = test::tcp_flag::syn | test::tcp_flag::ack;
        REQUIRE_FALSE(talk.judge(Way::out, answer, seen));
        CHECK_FALSE(goes_to_pod());
    }
    SECTION("who left several SYNs unanswered")
    {
        for (int i = 0; i < 3; i++) {
            const Target client{talk.client.address, client_port++};
            REQUIRE_FALSE(talk.judge(Way::in, talk.packet(client, talk.node), talk.packet(client, talk.other)));
        }
        CHECK(goes_to_pod() == (talk.protocol == IPPROTO_TCP));
    }
    SECTION("a pod that resets")
    {
        if (talk.protocol != IPPROTO_TCP)
            return;
        Packet reset = talk.packet(talk.other, talk.client);
        reset.flags = test::tcp_flag::rst | test::tcp_flag::ack;
        CHECK_FALSE(talk.judge(Way::out, reset, reset));
        CHECK(goes_to_pod());
    }
    SECTION("for a pod that has answered somebody")
    {
        talk.model.answer({talk.protocol, service_of(talk.client, 0).end, service_of(talk.pod, 0).end}, true);
        CHECK(goes_to_pod());
    }
}

TEST_CASE("the oracle notices verdicts that nobody may give")
{
    Talk talk;
    const Bytes request = talk.packet(talk.client, talk.node).bytes();
    const Bytes passing = talk.packet(talk.client, talk.other).bytes();
    CHECK(talk.judge(Way::in, request, request, 0));  // TCX_PASS: Cilium wouldn't see it
    CHECK_FALSE(talk.judge(Way::in, request, request, drop));
    talk.model = Model();
    CHECK(talk.judge(Way::in, passing, passing, drop));
}

TEST_CASE("the oracle wants a fragment to go where the first one went")
{
    Talk talk;
    const auto fragment = [&](const Target& from, const Target& to, bool first) {
        Packet packet = talk.packet(from, to);
        if (!talk.v6)
            packet.fragment = first ? 0x2000 : 0x0010;
        else
            packet.extensions = {{IPPROTO_FRAGMENT, {0, static_cast<std::uint8_t>(first ? 1 : 0x80), 0, 0, 0, 9}}};
        Bytes bytes = packet.bytes();
        if (!first)  // no header there, so nothing in it is translated
            std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(packet.l4()), bytes.end(), std::uint8_t{0xaa});
        return bytes;
    };
    const Bytes later = fragment(talk.client, talk.node, false);
    const Bytes later_translated = fragment(talk.client, talk.pod, false);
    CHECK(talk.judge(Way::in, later, later_translated));  // the first was never seen
    CHECK_FALSE(talk.judge(Way::in, fragment(talk.client, talk.node, true), fragment(talk.client, talk.pod, true)));
    CHECK_FALSE(talk.judge(Way::in, later, later_translated));
    CHECK(talk.judge(Way::in, later, fragment(talk.client, talk.other, false)));
}

TEST_CASE("the oracle follows an ICMP error to whom it is about")
{
    Talk talk;
    talk.open();
    const bool whole = GENERATE(false, true);
    const std::string router = talk.v6 ? "2001:db8:2::1" : "192.0.2.1";

    const Bytes in = talk.error_about(router, talk.packet(talk.node, talk.client), whole);
    const Bytes in_right = talk.error_about(router, talk.packet(talk.pod, talk.client), whole);
    CHECK_FALSE(talk.judge(Way::in, in, in_right));
    CHECK(talk.judge(Way::in, in, talk.error_about(router, talk.packet(talk.other, talk.client), whole)));

    const Bytes out = talk.error_about(talk.pod.address, talk.packet(talk.client, talk.pod), whole);
    const Bytes out_right = talk.error_about(talk.node.address, talk.packet(talk.client, talk.node), whole);
    CHECK_FALSE(talk.judge(Way::out, out, out_right));
    CHECK(talk.judge(Way::out, out, talk.error_about(talk.pod.address, talk.packet(talk.client, talk.node), whole)));
    CHECK(talk.oracle.counts().icmp_errors == 4);

    Bytes unsummed = in_right;  // the outer checksum as it was
    unsummed[ethernet + (talk.v6 ? 42 : 22)] = in[ethernet + (talk.v6 ? 42 : 22)];
    unsummed[ethernet + (talk.v6 ? 43 : 23)] = in[ethernet + (talk.v6 ? 43 : 23)];
    // What changed inside is made up for inside, but for the last fields, where the embedded checksum isn't there.
    CHECK((unsummed == in_right || talk.judge(Way::in, in, unsummed)));
}
