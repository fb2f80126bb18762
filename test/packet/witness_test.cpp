// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The pod's answers as a witness: pods whose socket we don't see, and sockets that don't answer.
#include "icmp_error.hpp"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// Two pods behind port 80; who has a socket is the test's affair.
struct WitnessPods
{
    explicit WitnessPods(Kind kind, abi::share share = abi::SHARE_NEWEST)
    {
        programs.expose(node_at(kind), kind.protocol, {&young, &old}, share);
    }

    /// The next client's first packet goes to the pod. Returns its port.
    std::uint16_t check_next_goes_to(const TestPod& pod, Kind kind, Where where = Where::current())
    {
        const std::uint16_t client = next_client++;
        check_translated(programs.ingress(request(kind, client)), to(request(kind, client), pod.at(kind)), where);
        return client;
    }

    /// The next client's, and the pod answers.
    void check_served_by(const TestPod& pod, Kind kind, Where where = Where::current())
    {
        const std::uint16_t client = check_next_goes_to(pod, kind, where);
        const Packet answer = reply(pod, kind, client);
        check_translated(programs.egress(answer), from(answer, node_at(kind)), where);
    }

    /// As if all that is noted of the pod had happened so long before.
    void age(const TestPod& pod, Kind kind, std::uint64_t time)
    {
        abi::backend entry = programs.backend(pod, kind);
        for (__u64* moment : {&entry.listening_since, &entry.answering_since, &entry.answered_at, &entry.refused_at,
                              &entry.asked_at, &entry.unanswered_since})
            *moment -= *moment == 0 ? 0 : time;
        programs.backends.put(endpoint_of(pod.at(kind), kind.protocol), entry);
    }

    Programs programs;
    TestPod young{8, "10.0.0.8", "fd00::8"};
    TestPod old{7, "10.0.0.7", "fd00::7"};
    std::uint16_t next_client = 40000;
};

/// The youngest refused, and people can see it.
void check_told(WitnessPods& pods, Kind kind, abi::outcome outcome)
{
    const auto events = pods.programs.events();
    const auto refusal = std::ranges::find(events, __u8{abi::EVENT_REFUSAL}, &abi::event::kind);
    REQUIRE(refusal != events.end());
    CHECK(refusal->reason == outcome);
    CHECK(refusal->pod == 8);
    check_endpoint(refusal->node_port, node_at(kind), kind.protocol);
    CHECK(refusal->peer.protocol == kind.protocol);
}

}  // namespace

PACKET_CASE("node_egress", "a pod that answers serves, without a socket that we see", every_kind)
{
    WitnessPods pods(kind);
    pods.check_served_by(pods.young, kind);
    CHECK(pods.programs.backend(pods.young, kind).answering_since != 0);
    CHECK(pods.programs.backend(pods.young, kind).answered_at != 0);
    const UniqueFd listener = pods.old.listen(kind);
    pods.check_served_by(pods.young, kind);
    CHECK(pods.programs.backend(pods.young, kind).listening_since == 0);
}

PACKET_CASE("node_egress", "its answers settle like a socket", every_kind)
{
    WitnessPods pods(kind);
    pods.programs.change(node_at(kind), kind.protocol,
                         [](abi::node_port& port) { port.backends[0].settle_ms = 10000; });
    pods.check_served_by(pods.young, kind);
    const UniqueFd listener = pods.old.listen(kind);
    pods.check_next_goes_to(pods.old, kind);  // none has settled: the oldest
    pods.age(pods.young, kind, 11 * one_second);
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_egress", "a refusal ends that, and the client's next packet goes to who serves", every_kind)
{
    tried().insert({"node_egress", kind});
    WitnessPods pods(kind);
    pods.check_served_by(pods.young, kind);
    const UniqueFd listener = pods.old.listen(kind);
    const std::uint16_t client = pods.check_next_goes_to(pods.young, kind);
    check_dropped(pods.programs.egress(refusal(pods.young, kind, client)));
    check_translated(pods.programs.ingress(request(kind, client)), to(request(kind, client), pods.old.at(kind)));
    const Packet answer = reply(pods.old, kind, client);
    check_translated(pods.programs.egress(answer), from(answer, node_at(kind)));
    CHECK(pods.programs.backend(pods.young, kind).answering_since == 0);
    CHECK(pods.programs.traffic(node_at(kind), kind.protocol).connections == 2);
    CHECK(pods.programs.traffic(node_at(kind), kind.protocol).held == 1);
    check_told(pods, kind, abi::OUTCOME_KEPT);
}

PACKET_CASE("node_egress", "a refusal passes where nobody else serves", every_kind)
{
    tried().insert({"node_egress", kind});
    WitnessPods pods(kind);
    const std::uint16_t client = pods.check_next_goes_to(pods.young, kind);
    check_translated(pods.programs.egress(refusal(pods.young, kind, client)), refusal_by_node(kind, client));
    CHECK(pods.programs.backend(pods.young, kind).refused_at != 0);
    check_told(pods, kind, abi::OUTCOME_PASSED);
}

PACKET_CASE("node_egress", "a socket whose pod refuses isn't one that serves, until it answers or listens anew",
            every_kind)
{
    tried().insert({"node_egress", kind});
    WitnessPods pods(kind);
    UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    const std::uint16_t client = pods.check_next_goes_to(pods.young, kind);
    check_dropped(pods.programs.egress(refusal(pods.young, kind, client)));
    pods.check_next_goes_to(pods.old, kind);
    SECTION("it is asked again after a while, by one connection")
    {
        pods.age(pods.young, kind, 6 * one_second);
        const std::uint16_t trial = pods.check_next_goes_to(pods.young, kind);
        pods.check_next_goes_to(pods.old, kind);
        CHECK(pods.programs.traffic(node_at(kind), kind.protocol).handovers == 1);  // a trial is none
        const Packet answer = reply(pods.young, kind, trial);
        check_translated(pods.programs.egress(answer), from(answer, node_at(kind)));
        pods.check_next_goes_to(pods.young, kind);
    }
    SECTION("a new listener begins with a clean slate")
    {
        young_one = UniqueFd();
        pods.check_next_goes_to(pods.old, kind);
        young_one = pods.young.listen(kind);
        pods.check_next_goes_to(pods.young, kind);
    }
}

PACKET_CASE("node_ingress", "a pod that leaves SYNs unanswered is silent, and others are preferred", over_tcp)
{
    WitnessPods pods(kind);
    const UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    const std::uint16_t first = pods.check_next_goes_to(pods.young, kind);
    pods.age(pods.young, kind, 2 * one_second);
    pods.check_next_goes_to(pods.young, kind);  // one may be lost, and two
    pods.check_next_goes_to(pods.young, kind);
    pods.check_next_goes_to(pods.old, kind);
    // Who asked before asks again, and is chosen for anew.
    check_translated(pods.programs.ingress(request(kind, first)), to(request(kind, first), pods.old.at(kind)));
    pods.age(pods.young, kind, 6 * one_second);
    const std::uint16_t trial = pods.check_next_goes_to(pods.young, kind);
    pods.check_next_goes_to(pods.old, kind);
    pods.programs.egress(reply(pods.young, kind, trial));
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_ingress", "datagrams without an answer say nothing", over_udp)
{
    WitnessPods pods(kind);
    const UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    for (int i = 0; i < 5; i++) {
        pods.check_next_goes_to(pods.young, kind);
        pods.age(pods.young, kind, 2 * one_second);
    }
}

PACKET_CASE("node_ingress", "a gateway that closed its listener answered a moment ago, and doesn't serve", every_kind)
{
    WitnessPods pods(kind);
    UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    pods.check_served_by(pods.young, kind);
    young_one = UniqueFd();
    pods.check_next_goes_to(pods.old, kind);
}

PACKET_CASE("node_egress", "an answer that was on its way when the listener closed isn't taken for a witness",
            every_kind)
{
    WitnessPods pods(kind);
    UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    const std::uint16_t client = pods.check_next_goes_to(pods.young, kind);
    young_one = UniqueFd();
    pods.check_next_goes_to(pods.old, kind);
    pods.programs.egress(reply(pods.young, kind, client));
    pods.check_next_goes_to(pods.old, kind);
}

PACKET_CASE("node_egress", "a stray reset refuses nothing", over_tcp)
{
    WitnessPods pods(kind);
    const UniqueFd young_one = pods.young.listen(kind);
    const std::uint16_t client = pods.check_next_goes_to(pods.young, kind);
    const Packet reset = with_flags(reply(pods.young, kind, client), tcp_flag::rst);  // answers an ACK, not a SYN
    check_translated(pods.programs.egress(reset), from(reset, node_at(kind)));
    CHECK(pods.programs.backend(pods.young, kind).refused_at == 0);
}

PACKET_CASE("node_egress", "a firewall in the pod refuses too; a router on the way doesn't", over_icmp)
{
    const std::uint8_t protocol = GENERATE(std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP});
    const Kind about{kind.v6, protocol};
    const IcmpHeader prohibited = kind.v6 ? IcmpHeader{1, 1} : IcmpHeader{3, 13};
    WitnessPods pods(about);
    const UniqueFd young_one = pods.young.listen(about);
    const UniqueFd old_one = pods.old.listen(about);
    const std::uint16_t client = pods.check_next_goes_to(pods.young, about);
    const auto error = [&](const std::string& source, const IcmpHeader& header) {
        return icmp_error(source, client_at(kind).address, header,
                          carried(to(request(about, client), pods.young.at(about)), 8));
    };
    for (const Packet& other : {error(router(kind), prohibited), error(pods.young.at(about).address, too_big(kind))})
        CHECK(pods.programs.egress(other).verdict == verdict_next);
    CHECK(pods.programs.backend(pods.young, about).refused_at == 0);
    check_dropped(pods.programs.egress(error(pods.young.at(about).address, prohibited)));
    pods.check_next_goes_to(pods.old, about);
}

PACKET_CASE("node_ingress", "a half-open connection stays with a pod without a socket", over_tcp)
{
    WitnessPods pods(kind);
    pods.check_served_by(pods.young, kind);
    pods.programs.say(pods.young, [](abi::pod_word& word) { word.ending = 1; });
    const UniqueFd old_one = pods.old.listen(kind);
    check_translated(pods.programs.ingress(request(kind, 40000)), to(request(kind, 40000), pods.young.at(kind)));
    pods.check_next_goes_to(pods.old, kind);
}

PACKET_CASE("node_ingress", "spread: who answers and who listens share", every_kind)
{
    WitnessPods pods(kind, abi::SHARE_SPREAD);
    pods.check_served_by(pods.young, kind);
    const UniqueFd old_one = pods.old.listen(kind);
    std::size_t of_young = 0;
    for (std::uint16_t i = 0; i < 100; i++) {
        const Packet packet = request(kind, pods.next_client++);
        if (pods.programs.ingress(packet).out == to(packet, pods.young.at(kind)).bytes())
            of_young++;
    }
    CHECK(of_young > 25);  // a half, less five times the standard deviation
    CHECK(of_young < 75);
}

// A test run's device is the loopback, number 1; so the kernel finds what is bound to the pod's device of that number.
PACKET_CASE("node_egress", "a socket that is bound to a device is one that isn't seen, whatever the device's number",
            every_kind)
{
    WitnessPods pods(kind);
    const UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    const std::string device = GENERATE("lo", "other0");  // a namespace's first is its loopback
    CAPTURE(device);
    if (device == "other0")
        pods.young.netns.ip("link add other0 index 77 type veth peer name other1\nlink set other0 up\n");
    REQUIRE(pods.young.netns.run([&] {
        return setsockopt(young_one.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                          static_cast<socklen_t>(device.size()));
    }) == 0);
    pods.check_next_goes_to(pods.old, kind);
    CHECK(pods.programs.backend(pods.young, kind).listening_since == 0);
    pods.programs.say(pods.young, [](abi::pod_word& word) { word.readiness = abi::READY; });
    pods.check_served_by(pods.young, kind);  // a trial
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_ingress", "a socket that is bound to a device hides no other", over_udp)
{
    WitnessPods pods(kind);
    const UniqueFd young_one = pods.young.listen(kind);
    const UniqueFd old_one = pods.old.listen(kind);
    pods.check_next_goes_to(pods.young, kind);
    // The kernel prefers it, on a device of the same number. Of TCP there can't be both.
    const UniqueFd bound =
        bound_socket(pods.young.netns, {kind.v6 ? "::" : "0.0.0.0", 9080}, SOCK_DGRAM, {.device = "lo"});
    pods.check_next_goes_to(pods.young, kind);
    CHECK(pods.programs.backend(pods.young, kind).listening_since != 0);
}
