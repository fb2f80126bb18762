// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Remaps, on the pod's own device: the pod's port -> its listener, and back.
#include "icmp_error.hpp"
#include "pod_programs.hpp"
#include "real_connection.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

Packet later(const Packet& packet)
{
    return with_flags(packet, tcp_flag::ack);
}

}  // namespace

PACKET_CASE("pod_ingress", "the pod's port leads to its listener, and a flow says so", every_kind)
{
    const RemappingGateway gateway(kind);
    const Packet packet = gateway.request(kind);
    check_translated(gateway.inside.ingress(packet), to(packet, gateway.pod.at(kind)));
    const auto flow = gateway.programs.flow(flow_key_of(gateway.pod.at(kind), client_at(kind), kind.protocol));
    REQUIRE(flow);
    CHECK(flow->state == abi::FLOW_AT_POD);
    CHECK(flow->node_port == htons(80));
    check_translated(gateway.inside.ingress(later(packet)), to(later(packet), gateway.pod.at(kind)));
}

PACKET_CASE("pod_egress", "replies come from the port that was asked, and are counted there", every_kind)
{
    const RemappingGateway gateway(kind);
    gateway.open_flow(kind);
    const Packet packet = later(reply(gateway.pod, kind));
    check_translated(gateway.inside.egress(packet), from(packet, gateway.pod_port));
    const abi::traffic traffic = gateway.programs.traffic(gateway.pod_port, kind.protocol, abi::AT_POD);
    CHECK(traffic.connections == 1);
    CHECK(traffic.packets[abi::FROM_CLIENT] == (kind.tcp() ? 2 : 1));
    CHECK(traffic.packets[abi::FROM_POD] == 2);
}

PACKET_CASE("pod_egress", "where nobody listens, the pod's refusal comes from the port that was asked", every_kind)
{
    tried().insert({"pod_egress", kind});  // as an error too, where it is UDP
    RemappingGateway gateway(kind);
    gateway.listener = UniqueFd();
    const Packet packet = gateway.request(kind);
    check_translated(gateway.inside.ingress(packet), to(packet, gateway.pod.at(kind)));
    const Packet refused = refusal(gateway.pod, kind);
    if (kind.tcp())
        check_translated(gateway.inside.egress(refused), from(refused, gateway.pod_port));
    else
        check_translated(gateway.inside.egress(refused),
                         icmp_error(gateway.pod.at(kind).address, client_at(kind).address, port_unreachable(kind),
                                    carried(packet, 8)));
}

PACKET_CASE("pod_ingress", "direct connections to the listener, and all other ports, stay as they are", every_kind)
{
    const RemappingGateway gateway(kind);
    for (const Target& end : {gateway.pod.at(kind), gateway.pod.at(kind, 81), node_at(kind, 80)}) {
        const Packet in = to(request(kind, 40001), end);
        check_untouched(gateway.inside.ingress(in), in);
        check_untouched(gateway.inside.ingress(later(in)), later(in));
        const Packet out = from(reply(gateway.pod, kind, 40001), end);
        check_untouched(gateway.inside.egress(out), out);
    }
    // What the pod asks itself, from its port 80 or of another's.
    const Packet asks{.source = gateway.pod_port, .destination = client_at(kind, 80), .protocol = kind.protocol};
    check_untouched(gateway.inside.egress(asks), asks);
}

PACKET_CASE("pod_egress", "node programs leave remapped connections alone", every_kind)
{
    const RemappingGateway gateway(kind);
    gateway.open_flow(kind);
    const Packet in = later(gateway.request(kind));
    check_untouched(gateway.programs.ingress(in), in);
    const Packet out = later(reply(gateway.pod, kind));
    check_untouched(gateway.programs.egress(from(out, gateway.pod_port)), from(out, gateway.pod_port));
    check_untouched(gateway.programs.egress(out), out);
}

PACKET_CASE("pod_egress", "pod programs leave connections of node ports alone", every_kind)
{
    RemappingGateway gateway(kind);
    const Target node_port = node_at(kind, 8080);
    gateway.programs.expose(node_port, kind.protocol, {&gateway.pod});
    const Packet in = to(request(kind), node_port);
    const Packet seen = to(in, gateway.pod.at(kind));
    const Packet out = reply(gateway.pod, kind);
    check_translated(gateway.programs.ingress(in), seen);
    check_untouched(gateway.inside.ingress(seen), seen);
    check_untouched(gateway.inside.egress(out), out);
    check_translated(gateway.programs.egress(out), from(out, node_port));
    check_untouched(gateway.inside.ingress(later(seen)), later(seen));
    CHECK(gateway.programs.flows_new.all().size() + gateway.programs.lasting(kind.protocol).all().size() == 1);
}

PACKET_CASE("pod_ingress", "a port that is exposed and remapped is translated in both places", every_kind)
{
    RemappingGateway gateway(kind);
    const Target node_port = node_at(kind);
    gateway.programs.expose(node_port, kind.protocol, {&gateway.pod}, abi::SHARE_NEWEST, 80);
    const Packet before = request(kind);
    gateway.programs.listen_elsewhere(node_port, kind.protocol, 9080);
    for (const Packet& in : {before, later(before)}) {
        check_translated(gateway.programs.ingress(in), to(in, gateway.pod_port));
        check_translated(gateway.inside.ingress(to(in, gateway.pod_port)), to(in, gateway.pod.at(kind)));
        const Packet out = later(reply(gateway.pod, kind));
        check_translated(gateway.inside.egress(out), from(out, gateway.pod_port));
        check_translated(gateway.programs.egress(from(out, gateway.pod_port)), from(out, node_port));
    }
    CHECK(gateway.programs.clashes.all().empty());
}

PACKET_CASE("pod_ingress", "a flow that was lost is found again in the pod's socket", over_tcp)
{
    const RemappingGateway gateway(kind);
    const RealConnection connection(gateway.pod, gateway.listener, kind);
    const Packet packet = later(gateway.request(kind));
    check_translated(gateway.inside.ingress(packet), to(packet, gateway.pod.at(kind)));
    const Packet out = later(reply(gateway.pod, kind));
    check_translated(gateway.inside.egress(out), from(out, gateway.pod_port));
    const Packet stray = later(gateway.request(kind, 40001));
    check_untouched(gateway.inside.ingress(stray), stray);
}

PACKET_CASE("pod_ingress", "a SYN that was sent again stays; one on a connection that is over begins anew", over_tcp)
{
    const RemappingGateway gateway(kind);
    gateway.open_flow(kind);
    {
        const RealConnection connection(gateway.pod, gateway.listener, kind);
        check_translated(gateway.inside.ingress(gateway.request(kind)),
                         to(gateway.request(kind), gateway.pod.at(kind)));
        CHECK(gateway.programs.traffic(gateway.pod_port, kind.protocol, abi::AT_POD).connections == 1);
    }
    gateway.inside.egress(with_flags(reply(gateway.pod, kind), tcp_flag::rst));
    check_translated(gateway.inside.ingress(gateway.request(kind)), to(gateway.request(kind), gateway.pod.at(kind)));
    CHECK(gateway.programs.traffic(gateway.pod_port, kind.protocol, abi::AT_POD).connections == 2);
}

PACKET_CASE("pod_ingress", "remapped connections are held like any other", every_kind)
{
    RemappingGateway gateway(kind);
    gateway.listener = UniqueFd();
    const abi::endpoint key = endpoint_of(gateway.pod_port, kind.protocol, abi::AT_POD);
    abi::node_port entry = gateway.programs.node_ports.find(key).value();
    entry.backends[0].hold_ms = 15000;
    gateway.programs.node_ports.put(key, entry);
    check_translated(gateway.inside.ingress(gateway.request(kind)), to(gateway.request(kind), gateway.pod.at(kind)));
    check_dropped(gateway.inside.egress(refusal(gateway.pod, kind)));
    CHECK(gateway.programs.traffic(gateway.pod_port, kind.protocol, abi::AT_POD).held == 1);
    gateway.listener = gateway.pod.listen(kind);
    gateway.open_flow(kind);
}

PACKET_CASE("pod_ingress", "fragments go where the first goes", every_kind)
{
    const RemappingGateway gateway(kind);
    gateway.open_flow(kind);
    Packet in = later(gateway.request(kind));
    Packet out = later(reply(gateway.pod, kind));
    in.payload = out.payload = counting(150);
    const auto check = [&](const char* program, const Packet& before, const Packet& after) {
        tried().insert({program, kind});
        for (const std::size_t i : {0U, 2U, 1U})
            check_bytes(gateway.inside.run(program, before.fragments(48).at(i)), after.fragments(48).at(i));
    };
    check("pod_ingress", in, to(in, gateway.pod.at(kind)));
    check("pod_egress", out, from(out, gateway.pod_port));
}

PACKET_CASE("pod_ingress", "errors about a reply carry it as the pod sent it", over_icmp)
{
    const std::uint8_t protocol = GENERATE(std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP});
    const Kind about{kind.v6, protocol};
    const RemappingGateway gateway(about);
    gateway.open_flow(about);
    const Packet sent = later(reply(gateway.pod, about));
    const Packet left = from(sent, gateway.pod_port);
    for (const std::size_t size : carried_sizes(about))
        for (const IcmpHeader& header : error_types(kind)) {
            const auto error = [&](const Packet& packet) {
                return icmp_error(router(kind), gateway.pod_port.address, header, carried(packet, size));
            };
            check_translated(gateway.inside.ingress(error(left)), error(sent));
            check_untouched(gateway.programs.ingress(error(left)), error(left));  // not the node's affair
        }
}

PACKET_CASE("pod_egress", "errors about a request carry it as the client sent it", over_icmp)
{
    const std::uint8_t protocol = GENERATE(std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP});
    const Kind about{kind.v6, protocol};
    const RemappingGateway gateway(about);
    gateway.open_flow(about);
    const Packet sent = later(gateway.request(about));
    const Packet seen = to(sent, gateway.pod.at(about));
    for (const std::size_t size : carried_sizes(about)) {
        const auto error = [&](const Packet& packet) {
            return icmp_error(gateway.pod_port.address, client_at(kind).address, too_big(kind), carried(packet, size));
        };
        check_untouched(gateway.programs.egress(error(seen)), error(seen));
        check_translated(gateway.inside.egress(error(seen)), error(sent));
    }
}

PACKET_CASE("pod_egress", "packets that are none of ours", every_kind)
{
    const RemappingGateway gateway(kind);
    gateway.open_flow(kind);
    Packet other = later(gateway.request(kind));
    other.protocol = IPPROTO_SCTP;
    check_untouched(gateway.inside.ingress(other), other);
    Packet answer = later(reply(gateway.pod, kind));
    answer.protocol = IPPROTO_SCTP;
    check_untouched(gateway.inside.egress(answer), answer);
    for (const Packet& wrong : {to(later(reply(gateway.pod, kind)), client_at(kind, 40001)),
                                from(later(reply(gateway.pod, kind)), gateway.pod.at(kind, 9081))})
        check_untouched(gateway.inside.egress(wrong), wrong);
}
