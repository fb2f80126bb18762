// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Events: what people are told of handovers, held connections and drops, and what the command tells itself.
#include "fixture.hpp"

#include <cstring>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::uint64_t limit_per_second = 64;  // EVENTS_BY_CLIENTS in bpf/events.h

abi::event told(const Target& node_port, const Target& peer, std::uint8_t protocol)
{
    abi::event event{};
    event.kind = abi::EVENT_BIND;
    event.pod = 7;
    event.node_port = endpoint_of(node_port, protocol);
    event.peer = endpoint_of(peer, protocol);
    std::strcpy(event.pod_namespace, "apisix");
    std::strcpy(event.pod_name, "apisix-1");
    return event;
}

bool tell(const Programs& programs, Kind kind, const abi::event& event)
{
    tried().insert({"tell_event", kind});
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&event);
    return programs.run("tell_event", Bytes(bytes, bytes + sizeof event)).verdict == 1;
}

}  // namespace

PACKET_CASE("tell_event", "keeps what the command tells, and numbers it", every_kind)
{
    const Programs programs;
    const abi::event event = told(node_at(kind), {kind.v6 ? "fd00::7" : "10.0.0.7", 9080}, kind.protocol);
    const std::uint64_t before = monotonic_now();
    CHECK(tell(programs, kind, event));
    CHECK(tell(programs, kind, event));
    const auto events = programs.events();
    REQUIRE(events.size() == 2);
    CHECK(events[0].number == 1);
    CHECK(events[1].number == 2);
    CHECK(events[0].time >= before);
    CHECK(events[1].time >= events[0].time);
    abi::event back = events[1];
    back.number = back.time = 0;
    CHECK(std::memcmp(&back, &event, sizeof event) == 0);
}

TEST_CASE("tell_event: half an event is none")
{
    const Programs programs;
    CHECK(programs.run("tell_event", Bytes(sizeof(abi::event) - 1)).verdict == 0);
    CHECK(programs.events().empty());
}

TEST_CASE("tell_event: the newest take the place of the oldest")
{
    const Programs programs;
    const Kind kind{false, IPPROTO_TCP};
    for (unsigned i = 0; i < abi::MAX_EVENTS + 3; i++)
        CHECK(tell(programs, kind, told(node_at(kind), {"10.0.0.7", 9080}, IPPROTO_TCP)));
    const auto events = programs.events();
    REQUIRE(events.size() == abi::MAX_EVENTS);
    CHECK(events.front().number == 4);
    CHECK(events.back().number == abi::MAX_EVENTS + 3);
}

PACKET_CASE("node_ingress", "a handover is told, with both pods", every_kind)
{
    Programs programs;
    const TestPod younger(9, "10.0.0.9", "fd00::9");
    const TestPod older(8, "10.0.0.8", "fd00::8");
    programs.expose(node_at(kind), kind.protocol, {&younger, &older});
    const UniqueFd old_one = older.listen(kind);
    programs.ingress(request(kind, 40001));
    programs.ingress(request(kind, 40002));
    CHECK(programs.events().empty());
    const UniqueFd young_one = younger.listen(kind);
    programs.ingress(request(kind, 40003));
    const auto events = programs.events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == abi::EVENT_HANDOVER);
    CHECK(events[0].pod == 9);
    CHECK(events[0].previous_pod == 8);
    CHECK(events[0].reason == abi::WITNESS_SOCKET);
    check_endpoint(events[0].node_port, node_at(kind), kind.protocol);
}

PACKET_CASE("node_ingress", "a connection that begins to wait is told once, and a flood of them is cut", every_kind)
{
    OneGateway gateway(kind);
    gateway.listener = UniqueFd();
    gateway.programs.change(gateway.node_port, kind.protocol, [](abi::node_port& port) {
        port.backends[0].hold_ms = 15000;
        port.count = 0;  // the last pod went
        port.vacant_until = monotonic_now() + 3'600'000'000'000;
    });
    for (int i = 0; i < 3; i++)
        check_dropped(gateway.programs.ingress(request(kind)));
    const auto events = gateway.programs.events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == abi::EVENT_HOLD);
    check_endpoint(events[0].node_port, gateway.node_port, kind.protocol);
    check_endpoint(events[0].peer, client_at(kind), kind.protocol);

    const std::uint64_t start = monotonic_now();
    for (std::uint16_t i = 0; i < 1000; i++)
        gateway.programs.ingress(request(kind, static_cast<std::uint16_t>(50000 + i)));
    const std::uint64_t windows = (monotonic_now() - start) / 1000000000 + 2;
    CHECK(gateway.programs.events().size() <= windows * limit_per_second);
    CHECK(gateway.programs.events().size() >= limit_per_second);

    // A window that another CPU has just begun isn't over, though it began after the time that this one took.
    const int head_map = bpf_map__fd(gateway.programs.object().maps.event_head);
    const std::uint32_t zero = 0;
    abi::event_head head{};
    REQUIRE(bpf_map_lookup_elem(head_map, &zero, &head) == 0);
    head.window = monotonic_now() + 3'600'000'000'000;
    head.by_clients = limit_per_second;
    REQUIRE(bpf_map_update_elem(head_map, &zero, &head, BPF_ANY) == 0);
    gateway.programs.ingress(request(kind, 49999));
    CHECK(gateway.programs.events().back().number == head.last);

    // What the command tells isn't held up by it.
    CHECK(tell(gateway.programs, kind, told(gateway.node_port, client_at(kind), kind.protocol)));
    CHECK(gateway.programs.events().back().kind == abi::EVENT_BIND);
    tried().erase({"tell_event", kind});
}
