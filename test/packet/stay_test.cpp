// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A first packet on a tuple that has a flow: the same connection, sent again, or a new one that chooses anew?
#include "fixture.hpp"
#include "real_connection.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// A gateway with a flow, and a younger pod that would get what chooses anew.
struct Successor : OneGateway
{
    explicit Successor(Kind kind) : OneGateway(kind) { open_flow(programs, pod, kind); }

    void take_over(Kind kind)
    {
        programs.expose(node_port, kind.protocol, {&young, &pod});
        young_one = young.listen(kind);
    }

    void check_goes_to(const TestPod& taker, Kind kind) const
    {
        check_translated(programs.ingress(request(kind)), to(request(kind), taker.at(kind)));
    }

    abi::flow_key key(Kind kind) const { return flow_key_of(pod.at(kind), client_at(kind), kind.protocol); }

    TestPod young{8, "10.0.0.8", "fd00::8"};
    UniqueFd young_one;
};

}  // namespace

PACKET_CASE("node_ingress", "a SYN on a connection that the pod has is the pod's to answer", over_tcp)
{
    Successor gateway(kind);
    const RealConnection connection(gateway, kind);
    gateway.take_over(kind);
    gateway.check_goes_to(gateway.pod, kind);
    CHECK(gateway.programs.flow(gateway.key(kind)));
}

PACKET_CASE("node_ingress", "a SYN on a connection that the pod forgot is a new one", over_tcp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.check_goes_to(gateway.young, kind);
    CHECK_FALSE(gateway.programs.flow(gateway.key(kind)));
    CHECK(gateway.programs.clashes.all().empty());
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).connections == 1);  // since the take-over
}

PACKET_CASE("node_ingress", "a SYN on a connection that was reset is a new one", over_tcp)
{
    Successor gateway(kind);
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::rst));
    SECTION("at the next pod")
    {
        gateway.take_over(kind);
        gateway.check_goes_to(gateway.young, kind);
        CHECK_FALSE(gateway.programs.flow(gateway.key(kind)));
    }
    SECTION("at the same pod, under the same port")
    {
        gateway.check_goes_to(gateway.pod, kind);
        CHECK(gateway.programs.clashes.all().empty());
    }
}

// RFC 5961: whoever knows the four numbers of a connection can send packets in its client's name, and no more.
PACKET_CASE("node_ingress", "a forged reset and a forged SYN take no connection from its pod", over_tcp)
{
    Successor gateway(kind);
    const RealConnection connection(gateway, kind);
    gateway.take_over(kind);
    const std::uint32_t expected = connection.expected();
    for (const std::uint32_t sequence :
         {expected - 1, expected - 70000, expected + (1U << 30), expected + (1U << 31)}) {
        Packet forged = with_flags(request(kind), tcp_flag::rst);
        forged.sequence = sequence;
        check_translated(gateway.programs.ingress(forged), to(forged, gateway.pod.at(kind)));
        CHECK((gateway.programs.flow(gateway.key(kind))->state & abi::FLOW_RESET) == 0);
        CHECK(gateway.programs.flows_established.find(gateway.key(kind)));
        gateway.check_goes_to(gateway.pod, kind);  // a SYN
    }
    const Packet packet = with_flags(request(kind), tcp_flag::ack);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "a reset that the pod would take ends the flow, until the pod goes on", over_tcp)
{
    Successor gateway(kind);
    const RealConnection connection(gateway, kind);
    gateway.take_over(kind);
    Packet reset = with_flags(request(kind), tcp_flag::rst);
    reset.sequence = connection.expected();
    gateway.programs.ingress(reset);
    CHECK((gateway.programs.flow(gateway.key(kind))->state & abi::FLOW_RESET) != 0);
    CHECK_FALSE(gateway.programs.flows_established.find(gateway.key(kind)));
    gateway.check_goes_to(gateway.pod, kind);  // its socket is still there: the pod answers

    const Packet challenge = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    check_translated(gateway.programs.egress(challenge), from(challenge, gateway.node_port));
    CHECK((gateway.programs.flow(gateway.key(kind))->state & abi::FLOW_RESET) == 0);
    CHECK(gateway.programs.flows_established.find(gateway.key(kind)));
}

PACKET_CASE("node_ingress", "a forged SYN takes no connection from a pod whose sockets aren't seen", over_tcp)
{
    Successor gateway(kind);
    gateway.programs.put_flow(gateway.key(kind), [](abi::flow& flow) { flow.state |= abi::FLOW_UNSEEN; });
    gateway.take_over(kind);
    gateway.check_goes_to(gateway.pod, kind);
    const Packet packet = with_flags(request(kind), tcp_flag::ack);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "a datagram after five minutes of silence chooses anew", over_udp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 299 * one_second; });
    gateway.check_goes_to(gateway.pod, kind);
    CHECK(gateway.programs.flow(gateway.key(kind))->last_seen > monotonic_now() - 100 * one_second);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 301 * one_second; });
    gateway.check_goes_to(gateway.young, kind);
    CHECK_FALSE(gateway.programs.flow(gateway.key(kind)));
}

PACKET_CASE("node_egress", "the pod's datagrams keep a flow alive too", over_udp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 299 * one_second; });
    check_translated(gateway.programs.egress(reply(gateway.pod, kind)),
                     from(reply(gateway.pod, kind), gateway.node_port));
    CHECK(gateway.programs.flow(gateway.key(kind))->last_seen > monotonic_now() - 100 * one_second);
}

// Another CPU may have written it between this one's look at the clock and at the entry.
PACKET_CASE("node_ingress", "a flow that was seen a moment from now isn't silent", over_udp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() + one_second; });
    gateway.check_goes_to(gateway.pod, kind);
}

PACKET_CASE("node_ingress", "silence ends no TCP connection", over_tcp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind), [](abi::flow& flow) { flow.last_seen = 1; });
    const Packet packet = with_flags(request(kind), tcp_flag::ack);
    check_translated(gateway.programs.ingress(packet), to(packet, gateway.pod.at(kind)));
}

PACKET_CASE("node_ingress", "a silent flow's port is free for the client's other ends", over_udp)
{
    Successor gateway(kind);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 301 * one_second; });
    const Packet direct = to(request(kind), gateway.pod.at(kind));
    check_untouched(gateway.programs.ingress(direct), direct);
    check_untouched(gateway.programs.egress(reply(gateway.pod, kind)), reply(gateway.pod, kind));
}
