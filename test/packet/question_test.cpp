// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Somebody on the node asks from a port that is a UDP node port too: the answer is the asker's.
#include "fixture.hpp"
#include "pod_programs.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::uint16_t high = 51820;

Packet from_node(Kind kind, const Target& source)
{
    Packet question = request(kind);
    question.source = source;
    question.destination = client_at(kind);
    return question;
}

Packet to_node(Kind kind, const Target& destination)
{
    return to(request(kind), destination);
}

}  // namespace

PACKET_CASE("node_egress", "an answer to a question from a node port goes to who asked", over_udp)
{
    const OneGateway gateway(kind);
    const Packet question = from_node(kind, gateway.node_port);
    check_untouched(gateway.programs.egress(question), question);
    check_untouched(gateway.programs.ingress(request(kind)), request(kind));
    check_untouched(gateway.programs.ingress(request(kind)), request(kind));
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 0);

    // Only from there.
    const Packet another = request(kind, 40001);
    check_translated(gateway.programs.ingress(another), to(another, gateway.pod.at(kind)));
}

PACKET_CASE("node_egress", "who asked the gateway first goes on with it", over_udp)
{
    const OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    gateway.programs.egress(from_node(kind, gateway.node_port));
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
}

PACKET_CASE("node_egress", "a question is remembered for five minutes", over_udp)
{
    OneGateway gateway(kind);
    gateway.programs.egress(from_node(kind, gateway.node_port));
    const auto age = [&](std::uint64_t seconds) {
        const auto all = gateway.programs.questions.all();
        REQUIRE(all.size() == 1);
        gateway.programs.questions.put(all.begin()->first, monotonic_now() - seconds * 1000000000);
    };
    age(299);
    check_untouched(gateway.programs.ingress(request(kind)), request(kind));
    age(301);
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
}

// Cilium gives it the node's address after us, and keeps a port above its `nodePort.range`.
PACKET_CASE("node_egress", "a question that will be masqueraded is a question, where its port stays", over_udp)
{
    OneGateway gateway(kind);
    const Target pod{kind.v6 ? "fd00::99" : "10.0.0.99", high};
    gateway.programs.expose(node_at(kind, high), kind.protocol, {&gateway.pod});
    gateway.programs.egress(from_node(kind, pod));
    gateway.programs.egress(from_node(kind, {pod.address, 80}));
    const Packet answer = to_node(kind, node_at(kind, high));
    check_untouched(gateway.programs.ingress(answer), answer);
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
}

PACKET_CASE("node_egress", "what a pod says from its own exposed port is no question", over_udp)
{
    OneGateway gateway(kind);
    gateway.programs.expose(node_at(kind, high), kind.protocol, {&gateway.pod}, abi::SHARE_NEWEST, high);
    gateway.programs.egress(from_node(kind, gateway.pod.at(kind, high)));
    CHECK(gateway.programs.questions.all().empty());
    const Packet asked = to_node(kind, node_at(kind, high));
    check_translated(gateway.programs.ingress(asked), to(asked, gateway.pod.at(kind, high)));
}

PACKET_CASE("pod_egress", "an answer to a pod's question from a port that it remaps stays as it is", over_udp)
{
    const RemappingGateway gateway(kind);
    const Packet question = from_node(kind, gateway.pod_port);
    check_untouched(gateway.inside.egress(question), question);
    check_untouched(gateway.inside.ingress(gateway.request(kind)), gateway.request(kind));
    const Packet another = gateway.request(kind, 40001);
    check_translated(gateway.inside.ingress(another), to(another, gateway.pod.at(kind)));
}

PACKET_CASE("node_egress", "datagrams from other ports, and segments, are no questions", every_kind)
{
    const OneGateway gateway(kind);
    gateway.programs.egress(from_node(kind, node_at(kind, 53)));
    if (kind.tcp())
        gateway.programs.egress(from_node(kind, gateway.node_port));
    CHECK(gateway.programs.questions.all().empty());
}
