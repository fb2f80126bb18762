// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Settling: a younger pod takes over once it has listened for long enough. And what is counted when it does.
#include "fixture.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// Two pods that both listen, the younger one wanting 10 s to settle.
struct SettlingPods
{
    explicit SettlingPods(Kind kind, abi::share share = abi::SHARE_NEWEST)
        : old_one(old.listen(kind)),
          young_one(young.listen(kind))
    {
        programs.expose(node_at(kind), kind.protocol, {&young, &old}, share);
        programs.change(node_at(kind), kind.protocol, [](abi::node_port& port) {
            port.backends[0].settle_ms = 10000;
            port.backends[1].settle_ms = 0;
        });
    }

    abi::backend backend(const TestPod& pod, Kind kind) const { return programs.backend(pod, kind); }

    /// As if the pod had been seen to listen for so long.
    void listens_for(const TestPod& pod, Kind kind, std::uint64_t time)
    {
        abi::backend entry = backend(pod, kind);
        entry.listening_since = monotonic_now() - time;
        programs.backends.put(endpoint_of(pod.at(kind), kind.protocol), entry);
    }

    void check_next_goes_to(const TestPod& pod, Kind kind)
    {
        const Packet packet = request(kind, next_client++);
        check_translated(programs.ingress(packet), to(packet, pod.at(kind)));
    }

    abi::traffic traffic(Kind kind) const { return programs.traffic(node_at(kind), kind.protocol); }

    Programs programs;
    TestPod young{8, "10.0.0.8", "fd00::8"};
    TestPod old{7, "10.0.0.7", "fd00::7"};
    UniqueFd old_one;
    UniqueFd young_one;
    std::uint16_t next_client = 40000;
};

}  // namespace

PACKET_CASE("node_ingress", "the older pod goes on until the younger has settled", every_kind)
{
    SettlingPods pods(kind);
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.check_next_goes_to(pods.old, kind);
    const abi::backend seen = pods.backend(pods.young, kind);
    CHECK(seen.listening_since != 0);  // the packet that asked began its time
    CHECK(seen.listening_since <= monotonic_now());
    pods.check_next_goes_to(pods.old, kind);
    CHECK(pods.backend(pods.young, kind).listening_since == seen.listening_since);

    pods.listens_for(pods.young, kind, 9 * one_second);
    pods.check_next_goes_to(pods.old, kind);
    pods.listens_for(pods.young, kind, 11 * one_second);
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_ingress", "without a settle time the younger takes over at once", every_kind)
{
    SettlingPods pods(kind);
    pods.programs.change(node_at(kind), kind.protocol, [](abi::node_port& port) { port.backends[0].settle_ms = 0; });
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_ingress", "where none has settled, the oldest that listens goes on", every_kind)
{
    SettlingPods pods(kind, GENERATE(abi::SHARE_NEWEST, abi::SHARE_SPREAD));
    pods.check_next_goes_to(pods.old, kind);
    pods.old_one = UniqueFd();
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_ingress", "an older pod that is gone isn't waited for", every_kind)
{
    SettlingPods pods(kind);
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.old_one = UniqueFd();
    pods.check_next_goes_to(pods.young, kind);
}

PACKET_CASE("node_ingress", "who stops listening begins anew", every_kind)
{
    SettlingPods pods(kind);
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.listens_for(pods.young, kind, 100 * one_second);
    pods.check_next_goes_to(pods.young, kind);
    pods.young_one = UniqueFd();
    pods.check_next_goes_to(pods.old, kind);
    CHECK(pods.backend(pods.young, kind).listening_since == 0);
    pods.young_one = pods.young.listen(kind);
    pods.check_next_goes_to(pods.old, kind);
    CHECK(pods.backend(pods.young, kind).listening_since != 0);
}

PACKET_CASE("node_ingress", "spread: only pods that have settled share", every_kind)
{
    SettlingPods pods(kind, abi::SHARE_SPREAD);
    pods.listens_for(pods.old, kind, 100 * one_second);
    for (int i = 0; i < 20; i++)
        pods.check_next_goes_to(pods.old, kind);
    pods.listens_for(pods.young, kind, 11 * one_second);
    const std::uint64_t before = pods.programs.flows_new.all().size();
    std::size_t of_young = 0;
    for (std::uint16_t i = 0; i < 100; i++) {
        const Packet packet = request(kind, pods.next_client++);
        if (pods.programs.ingress(packet).out == to(packet, pods.young.at(kind)).bytes())
            of_young++;
    }
    CHECK(pods.programs.flows_new.all().size() == before + 100);
    CHECK(of_young > 25);  // a half, less five times the standard deviation
    CHECK(of_young < 75);
}

// The agent writes with a clock that is some ms ahead of the one that the programs read.
PACKET_CASE("node_ingress", "a pod that was seen a moment from now hasn't settled", every_kind)
{
    SettlingPods pods(kind);
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.listens_for(pods.young, kind, 0 - one_second);
    pods.check_next_goes_to(pods.old, kind);
}

PACKET_CASE("node_ingress", "a handover is counted once, and where it goes is remembered", every_kind)
{
    SettlingPods pods(kind);
    const auto taker = [&] { return pods.programs.node_ports.find(endpoint_of(node_at(kind), kind.protocol))->taker; };
    CHECK(taker() == 0);
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.check_next_goes_to(pods.old, kind);
    CHECK(pods.traffic(kind).handovers == 0);  // nobody had it before
    CHECK(taker() == pods.old.id);
    pods.listens_for(pods.young, kind, 11 * one_second);
    pods.check_next_goes_to(pods.young, kind);
    pods.check_next_goes_to(pods.young, kind);
    CHECK(pods.traffic(kind).handovers == 1);
    CHECK(taker() == pods.young.id);
    pods.young_one = UniqueFd();
    pods.check_next_goes_to(pods.old, kind);
    CHECK(pods.traffic(kind).handovers == 2);
    CHECK(pods.traffic(kind).connections == 4);
}

PACKET_CASE("node_ingress", "with spread there are no handovers", every_kind)
{
    SettlingPods pods(kind, abi::SHARE_SPREAD);
    pods.listens_for(pods.old, kind, 100 * one_second);
    pods.listens_for(pods.young, kind, 100 * one_second);
    for (std::uint16_t i = 0; i < 50; i++)
        pods.programs.ingress(request(kind, pods.next_client++));
    CHECK(pods.traffic(kind).connections == 50);
    CHECK(pods.traffic(kind).handovers == 0);
}
