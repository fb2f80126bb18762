// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// From the pod: backend -> node port, where a flow says so and nowhere else.
#include "fixture.hpp"

#include "sallyport/wire.hpp"

using namespace sallyport;
using namespace sallyport::test;

PACKET_CASE("node_egress", "a reply leaves as the node's", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    for (const unsigned flags : {0x10U, 0x18U, 0x11U, 0x14U}) {
        const Packet packet = with_flags(reply(gateway.pod, kind), flags);
        check_translated(gateway.programs.egress(packet), from(packet, gateway.node_port));
    }
}

PACKET_CASE("node_egress", "without a flow, a packet from an exposed port is somebody else's", every_kind)
{
    OneGateway gateway(kind);
    const Packet packet = reply(gateway.pod, kind);
    check_untouched(gateway.programs.egress(packet), packet);
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).packets[abi::FROM_POD] == 0);
}

PACKET_CASE("node_egress", "what leaves other ports, or goes to other clients, stays as it is", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const Packet packet = reply(gateway.pod, kind);
    for (const Packet& other : {from(packet, gateway.pod.at(kind, 9081)), to(packet, client_at(kind, 40001)),
                                to(packet, {kind.v6 ? "2001:db8:7::8" : "203.0.113.8", 40000})})
        check_untouched(gateway.programs.egress(other), other);
}

PACKET_CASE("node_egress", "replies are counted under the node port", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    const Packet packet = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    gateway.programs.egress(packet);
    gateway.programs.egress(packet);
    const abi::traffic traffic = gateway.programs.traffic(gateway.node_port, kind.protocol);
    CHECK(traffic.packets[abi::FROM_POD] == 3);
    CHECK(traffic.bytes[abi::FROM_POD] == 3 * (packet.bytes().size() - packet.l3()));
    CHECK(traffic.connections == 1);
}

PACKET_CASE("node_egress", "through \"any\", a reply comes from the address that was asked", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const UniqueFd listener = pod.listen(kind);
    const Target any{kind.v6 ? "::" : "0.0.0.0", 80};
    programs.expose(any, kind.protocol, {&pod});
    const Target second{kind.v6 ? "2001:db8:1::2" : "198.51.100.2", 80};
    for (const Target& address : {node_at(kind), second})
        programs.addresses.put(to_wire(*Prefix::parse(address.address)), abi::ADDRESS_OF_NODE);

    programs.ingress(request(kind, 40001));
    programs.ingress(to(request(kind, 40002), second));
    check_translated(programs.egress(reply(pod, kind, 40001)), from(reply(pod, kind, 40001), node_at(kind)));
    check_translated(programs.egress(reply(pod, kind, 40002)), from(reply(pod, kind, 40002), second));
    CHECK(programs.traffic(any, kind.protocol).packets[abi::FROM_POD] == 2);
}

PACKET_CASE("node_egress", "flows of a pod that is gone are dead, whoever has its address now", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    gateway.pod.id = 8;
    gateway.programs.expose(gateway.node_port, kind.protocol, {&gateway.pod});
    const Packet packet = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    check_untouched(gateway.programs.egress(packet), packet);

    gateway.programs.backends.erase(endpoint_of(gateway.pod.at(kind), kind.protocol));
    check_untouched(gateway.programs.egress(packet), packet);
}

PACKET_CASE("node_egress", "a flow ends as the pod is removed, and its successor begins anew", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    gateway.pod.id = 8;
    gateway.programs.expose(gateway.node_port, kind.protocol, {&gateway.pod});
    if (kind.tcp())
        check_untouched(gateway.programs.ingress(with_flags(request(kind), tcp_flag::ack)),
                        with_flags(request(kind), tcp_flag::ack));
    open_flow(gateway.programs, gateway.pod, kind);
    CHECK(gateway.programs.lasting(kind.protocol).all().size() == 1);
}
