// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// From the client: node port -> backend.
#include "fixture.hpp"

#include "sallyport/wire.hpp"

using namespace sallyport;
using namespace sallyport::test;

PACKET_CASE("node_ingress", "a first packet goes to the pod, and a flow says so", every_kind)
{
    OneGateway gateway(kind);
    const Packet packet = request(kind);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));

    const auto flows = gateway.programs.flows_new.all();
    REQUIRE(flows.size() == 1);
    CHECK(to_wire(*Address::parse(gateway.node_port.address)).halves[1] == flows[0].second.node_address.halves[1]);
    CHECK(flows[0].second.node_port == htons(80));
    CHECK(flows[0].second.pod == gateway.pod.id);
    CHECK(flows[0].second.state == 0);
    CHECK(flows[0].second.last_seen != 0);
    CHECK(gateway.programs.flows_new.find(flow_key_of(gateway.pod.at(kind), packet.source, kind.protocol)));
    CHECK(gateway.programs.lasting(kind.protocol).all().empty());
}

PACKET_CASE("node_ingress", "packets of a flow go where its first went", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    for (const unsigned flags : {0x10U, 0x18U, 0x11U, 0x14U, 0x04U}) {
        const Packet packet = with_flags(request(kind), flags);
        check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
    }
}

PACKET_CASE("node_ingress", "what goes through is counted", every_kind)
{
    OneGateway gateway(kind);
    const Packet packet = request(kind);
    for (int i = 0; i < 3; i++)
        gateway.programs.ingress(packet);
    gateway.programs.ingress(request(kind, 40001));

    const abi::traffic traffic = gateway.programs.traffic(gateway.node_port, kind.protocol);
    CHECK(traffic.connections == 2);
    CHECK(traffic.packets[abi::FROM_CLIENT] == 4);
    CHECK(traffic.bytes[abi::FROM_CLIENT] == 4 * (packet.bytes().size() - packet.l3()));
    CHECK(traffic.packets[abi::FROM_POD] == 0);
    CHECK(gateway.programs.drops(abi::DROP_CLASH) == 0);
    CHECK(gateway.programs.drops(abi::DROP_REWRITE_FAILED) == 0);
}

PACKET_CASE("node_ingress", "\"any\" is every address of the node, and no other", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const UniqueFd listener = pod.listen(kind);
    const Target any{kind.v6 ? "::" : "0.0.0.0", 80};
    programs.expose(any, kind.protocol, {&pod});
    const Packet packet = request(kind);
    check_untouched(programs.ingress(packet), packet);

    programs.addresses.put(to_wire(*Prefix::parse(node_at(kind).address)), abi::ADDRESS_OF_NODE);
    check_translated(programs.ingress(packet), to(packet, pod.at(kind)));
    const Packet other = to(packet, {kind.v6 ? "2001:db8:1::2" : "198.51.100.2", 80});
    check_untouched(programs.ingress(other), other);

    programs.addresses.put(to_wire(*Prefix::parse(kind.v6 ? "2001:db8:1::/64" : "198.51.100.0/24")),
                           abi::ADDRESS_CONFIGURED);
    const Packet third = from(other, client_at(kind, 40001));
    check_translated(programs.ingress(third), to(third, pod.at(kind)));
    CHECK(programs.traffic(any, kind.protocol).connections == 2);
}

PACKET_CASE("node_ingress", "an address that is excluded isn't the node's, the longest prefix deciding", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const UniqueFd listener = pod.listen(kind);
    programs.expose({kind.v6 ? "::" : "0.0.0.0", 80}, kind.protocol, {&pod});
    programs.addresses.put(to_wire(*Prefix::parse(kind.v6 ? "2001:db8:1::/64" : "198.51.100.0/24")),
                           abi::ADDRESS_CONFIGURED);
    programs.addresses.put(to_wire(*Prefix::parse(kind.v6 ? "2001:db8:1::/80" : "198.51.100.0/28")),
                           abi::ADDRESS_EXCLUDED);
    programs.addresses.put(to_wire(*Prefix::parse(kind.v6 ? "2001:db8:1::3" : "198.51.100.3")), abi::ADDRESS_OF_NODE);
    const Packet excluded = to(request(kind), {kind.v6 ? "2001:db8:1::2" : "198.51.100.2", 80});
    check_untouched(programs.ingress(excluded), excluded);
    const Packet own = to(request(kind), {kind.v6 ? "2001:db8:1::3" : "198.51.100.3", 80});
    check_translated(programs.ingress(own), to(own, pod.at(kind)));
    const Packet beside =
        from(to(request(kind), {kind.v6 ? "2001:db8:1:0:1::" : "198.51.100.16", 80}), client_at(kind, 40001));
    check_translated(programs.ingress(beside), to(beside, pod.at(kind)));
}

PACKET_CASE("node_ingress", "\"any\" of one family isn't that of the other", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const UniqueFd listener = pod.listen({true, kind.protocol});
    programs.expose({kind.v6 ? "0.0.0.0" : "::", 80}, kind.protocol, {&pod});
    programs.addresses.put(to_wire(*Prefix::parse(node_at(kind).address)), abi::ADDRESS_OF_NODE);
    check_untouched(programs.ingress(request(kind)), request(kind));
}

PACKET_CASE("node_ingress", "an exact address goes before \"any\"", every_kind)
{
    OneGateway gateway(kind);
    const TestPod other(8, "10.0.0.8", "fd00::8");
    const UniqueFd listener = other.listen(kind);
    gateway.programs.expose({kind.v6 ? "::" : "0.0.0.0", 80}, kind.protocol, {&other});
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "TCP and UDP of one number are two ports", every_kind)
{
    OneGateway gateway(kind);
    Packet packet = request(kind);
    packet.protocol = kind.tcp() ? IPPROTO_UDP : IPPROTO_TCP;
    check_untouched(gateway.programs.ingress(packet), packet);
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "a backend that is another pod's by now gets nothing new", every_kind)
{
    OneGateway gateway(kind);
    abi::backend others{};
    others.pod = gateway.pod.id + 1;
    others.netns = gateway.pod.netns_id;
    others.listener = htons(9080);
    gateway.programs.backends.put(endpoint_of(gateway.pod.at(kind), kind.protocol), others);
    check_untouched(gateway.programs.ingress(request(kind)), request(kind));
    CHECK(gateway.programs.flows_new.all().empty());
}

PACKET_CASE("node_ingress", "several ports lead to several container ports", every_kind)
{
    OneGateway gateway(kind);
    const UniqueFd listener = gateway.pod.listen(kind, 9443);
    gateway.programs.expose(node_at(kind, 443), kind.protocol, {&gateway.pod}, abi::SHARE_NEWEST, 9443);
    const Packet first = request(kind);
    const Packet second = to(first, node_at(kind, 443));  // the same client port: no clash, these are two backends
    check_translated(gateway.programs.ingress(first), to(first, gateway.pod.at(kind)));
    check_translated(gateway.programs.ingress(second), to(second, gateway.pod.at(kind, 9443)));
    CHECK(gateway.programs.drops(abi::DROP_CLASH) == 0);
}
