// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Holding: a connection that finds no pod which serves is left unanswered until one does, or its time is over. Its
// packet goes to the pod, whose refusal is dropped; without a pod, the packet itself.
#include "icmp_error.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// A pod that wants connections to be held for 15 s; nobody listens yet.
struct HoldingGateway : OneGateway
{
    explicit HoldingGateway(Kind kind) : OneGateway(kind)
    {
        listener = UniqueFd();
        programs.change(node_port, kind.protocol, [](abi::node_port& port) { port.backends[0].hold_ms = 15000; });
    }

    /// The pod gets it, and refuses; nobody hears of that.
    void check_held(Kind kind, std::uint16_t client_port = 40000) const
    {
        check_translated(programs.ingress(request(kind, client_port)), to(request(kind, client_port), pod.at(kind)));
        check_dropped(programs.egress(refusal(pod, kind, client_port)));
    }

    void check_refused(Kind kind, std::uint16_t client_port = 40000) const
    {
        check_translated(programs.ingress(request(kind, client_port)), to(request(kind, client_port), pod.at(kind)));
        check_translated(programs.egress(refusal(pod, kind, client_port)), refusal_by_node(kind, client_port));
    }

    /// There is no pod to get it.
    void check_held_at_once(const Packet& packet) const { check_dropped(programs.ingress(packet)); }

    /// As if the connection had been waiting for so long.
    void wait_already(const Packet& packet, std::uint64_t time)
    {
        programs.held.put(tuple_of(packet), monotonic_now() - time);
    }

    std::uint64_t held(Kind kind) const { return programs.traffic(node_port, kind.protocol).held; }

    /// The last pod went: what the command leaves of the entry.
    void vacate(Kind kind, std::uint64_t until)
    {
        programs.change(node_port, kind.protocol, [&](abi::node_port& port) {
            port.count = 0;
            port.vacant_until = until;
        });
        programs.backends.erase(endpoint_of(pod.at(kind), kind.protocol));
    }
};

}  // namespace

PACKET_CASE("node_egress", "the refusal of a connection that may wait is dropped, and counted", every_kind)
{
    tried().insert({"node_egress", kind});  // as an error too, where it is UDP
    const HoldingGateway gateway(kind);
    for (int i = 0; i < 3; i++)
        gateway.check_held(kind);
    const abi::traffic traffic = gateway.programs.traffic(gateway.node_port, kind.protocol);
    CHECK(traffic.held == 3);
    CHECK(traffic.connections == 1);  // one client that asks three times
    CHECK(traffic.packets[abi::FROM_POD] == 0);
    CHECK(gateway.programs.held.all().size() == 1);
    CHECK(gateway.programs.drops(abi::DROP_CLASH) + gateway.programs.drops(abi::DROP_REWRITE_FAILED) == 0);
}

PACKET_CASE("node_ingress", "a connection's time is its own: over for one, the next begins to wait", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.check_held(kind);
    gateway.wait_already(request(kind), 14 * one_second);
    gateway.check_held(kind);
    gateway.wait_already(request(kind), 16 * one_second);
    gateway.check_refused(kind);
    CHECK(gateway.held(kind) == 2);
    gateway.check_held(kind, 40001);
    CHECK(gateway.held(kind) == 3);
}

PACKET_CASE("node_ingress", "who was refused may come again, and waits again", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.wait_already(request(kind), 16 * one_second);
    gateway.check_refused(kind);
    gateway.check_held(kind);
}

PACKET_CASE("node_ingress", "who gave up long ago isn't still waiting: it begins anew", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.wait_already(request(kind), (15 + 121) * one_second);
    gateway.check_held(kind);
    CHECK(gateway.programs.held.find(tuple_of(request(kind))).value() > monotonic_now() - 100 * one_second);
}

PACKET_CASE("node_ingress", "the listener that came meanwhile takes it", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.check_held(kind);
    gateway.listener = gateway.pod.listen(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    CHECK(gateway.programs.held.all().empty());
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);
    CHECK(gateway.held(kind) == 1);
}

PACKET_CASE("node_ingress", "a pod without a socket that we see takes it as well", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.check_held(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    CHECK(gateway.programs.held.all().empty());
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);
}

PACKET_CASE("node_ingress", "packets of no connection aren't held", over_tcp)
{
    const HoldingGateway gateway(kind);
    for (const unsigned flags : {0x10U, 0x11U, 0x04U, 0x12U}) {
        const Packet stray = with_flags(request(kind), flags);
        check_untouched(gateway.programs.ingress(stray), stray);
    }
    CHECK(gateway.held(kind) == 0);
}

PACKET_CASE("node_ingress", "without a hold time nobody waits, nor is noted", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.programs.change(gateway.node_port, kind.protocol,
                            [](abi::node_port& port) { port.backends[0].hold_ms = 0; });
    gateway.check_refused(kind);
    CHECK(gateway.programs.held.all().empty());
    CHECK(gateway.held(kind) == 0);
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);
}

PACKET_CASE("node_ingress", "an established connection's reset isn't held", over_tcp)
{
    HoldingGateway gateway(kind);
    gateway.listener = gateway.pod.listen(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const Packet reset = with_flags(reply(gateway.pod, kind), tcp_flag::rst | tcp_flag::ack);
    check_translated(gateway.programs.egress(reset), from(reset, gateway.node_port));
    CHECK(gateway.held(kind) == 0);
}

PACKET_CASE("node_ingress", "a port whose last pod went is held for its time, and no longer", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.vacate(kind, monotonic_now() + 60 * one_second);
    gateway.check_held_at_once(request(kind));
    gateway.check_held_at_once(request(kind, 40001));
    CHECK(gateway.held(kind) == 2);
    // A connection's own time counts here too.
    gateway.wait_already(request(kind, 40001), 16 * one_second);
    check_untouched(gateway.programs.ingress(request(kind, 40001)), request(kind, 40001));

    gateway.vacate(kind, monotonic_now() - one_second);
    check_untouched(gateway.programs.ingress(request(kind)), request(kind));
    check_untouched(gateway.programs.ingress(request(kind, 40002)), request(kind, 40002));
    CHECK(gateway.held(kind) == 2);
}

PACKET_CASE("node_ingress", "the pod that comes to a vacant port takes who waited", every_kind)
{
    HoldingGateway gateway(kind);
    gateway.vacate(kind, monotonic_now() + 60 * one_second);
    gateway.check_held_at_once(request(kind));
    gateway.pod.id = 8;
    gateway.programs.expose(gateway.node_port, kind.protocol, {&gateway.pod});
    gateway.programs.change(gateway.node_port, kind.protocol,
                            [](abi::node_port& port) { port.backends[0].hold_ms = 15000; });
    gateway.check_held(kind);
    gateway.listener = gateway.pod.listen(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    CHECK(gateway.programs.held.all().empty());
}

PACKET_CASE("node_ingress", "the youngest pod's hold time counts", every_kind)
{
    HoldingGateway gateway(kind);
    const TestPod older(6, "10.0.0.6", "fd00::6");
    gateway.programs.expose(gateway.node_port, kind.protocol, {&gateway.pod, &older});
    gateway.programs.change(gateway.node_port, kind.protocol,
                            [](abi::node_port& port) { port.backends[1].hold_ms = 15000; });
    gateway.programs.ingress(request(kind));
    check_translated(gateway.programs.egress(refusal(gateway.pod, kind)), refusal_by_node(kind));
    gateway.programs.change(gateway.node_port, kind.protocol,
                            [](abi::node_port& port) { port.backends[0].hold_ms = 60000; });
    gateway.wait_already(request(kind), 59 * one_second);
    gateway.programs.ingress(request(kind));
    check_dropped(gateway.programs.egress(refusal(older, kind)));
}
