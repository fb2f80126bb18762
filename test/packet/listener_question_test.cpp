// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The program ask_listener: what `status` says of a pod is what the datapath would find.
#include "fixture.hpp"

using namespace sallyport;
using namespace sallyport::test;

PACKET_CASE("ask_listener", "says whether the pod listens there, now", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
    UniqueFd listener = pod.listen(kind);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    CHECK(programs.ask(pod, pod.at(kind, 9081), kind.protocol) == 0);
    CHECK(programs.ask(pod, pod.at(kind), kind.tcp() ? IPPROTO_UDP : IPPROTO_TCP) == 0);
    listener = UniqueFd();
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
}

PACKET_CASE("ask_listener", "asks the pod that is named, and no other", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const TestPod other(8, "10.0.0.8", "fd00::8");
    const UniqueFd listener = pod.listen(kind);
    CHECK(programs.ask(other, pod.at(kind), kind.protocol) == 0);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
}

PACKET_CASE("ask_listener", "knows a dual-stack socket from one of IPv6 alone", over_ipv4)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const int type = kind.tcp() ? SOCK_STREAM : SOCK_DGRAM;
    UniqueFd listener = bound_socket(pod.netns, {"::", 9080}, type);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    listener = UniqueFd();
    listener = bound_socket(pod.netns, {pod.v6, 9080}, type);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
}

// The kernel takes the question for a frame: where bytes 12 and 13 say "IP", it must be as long as an IP header.
PACKET_CASE("ask_listener", "an address that looks like an Ethernet type is one like any other", every_kind)
{
    Programs programs;
    const auto [v4, v6] = GENERATE(std::pair("8.0.0.7", "fd00::800:7"), std::pair("134.221.0.7", "fd00::86dd:7"),
                                   std::pair("129.0.0.7", "fd00::8100:7"));
    const TestPod pod(7, v4, v6);
    const UniqueFd listener = pod.listen(kind);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    CHECK(programs.ask(pod, pod.at(kind, 9081), kind.protocol) == 0);
}

PACKET_CASE("ask_listener", "notes since when the pod listens, as a packet would", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const auto since = [&] {
        return programs.backends.find(endpoint_of(pod.at(kind), kind.protocol)).value().listening_since;
    };
    UniqueFd listener = pod.listen(kind);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    CHECK(since() != 0);
    listener = UniqueFd();
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
    CHECK(since() == 0);
}

TEST_CASE("ask_listener: half a question is answered with no")
{
    Programs programs;
    CHECK(programs.run("ask_listener", Bytes(sizeof(abi::listener_question) - 1)).verdict == 0);
}
