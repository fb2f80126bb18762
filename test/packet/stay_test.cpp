// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A first packet on a tuple that has a flow: the same connection, sent again, or a new one that chooses anew?
#include "fixture.hpp"
#include "real_connection.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::uint64_t second = 1000000000;

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

PACKET_CASE("node_ingress", "a SYN on a connection that is over is a new one, whatever the pod's socket still says",
            over_tcp)
{
    Successor gateway(kind);
    const RealConnection connection(gateway, kind);
    gateway.programs.ingress(with_flags(request(kind), tcp_flag::rst));
    SECTION("at the next pod")
    {
        gateway.take_over(kind);
        gateway.check_goes_to(gateway.young, kind);
        CHECK_FALSE(gateway.programs.flow(gateway.key(kind)));
    }
    SECTION("at the same pod, under the same port: its socket is the old connection's")
    {
        gateway.check_goes_to(gateway.pod, kind);
        CHECK(gateway.programs.clashes.all().empty());
    }
}

PACKET_CASE("node_ingress", "a datagram after five minutes of silence chooses anew", over_udp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 299 * second; });
    gateway.check_goes_to(gateway.pod, kind);
    CHECK(gateway.programs.flow(gateway.key(kind))->last_seen > monotonic_now() - 100 * second);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 301 * second; });
    gateway.check_goes_to(gateway.young, kind);
    CHECK_FALSE(gateway.programs.flow(gateway.key(kind)));
}

PACKET_CASE("node_egress", "the pod's datagrams keep a flow alive too", over_udp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind),
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 299 * second; });
    check_translated(gateway.programs.egress(reply(gateway.pod, kind)),
                     from(reply(gateway.pod, kind), gateway.node_port));
    CHECK(gateway.programs.flow(gateway.key(kind))->last_seen > monotonic_now() - 100 * second);
}

// Another CPU may have written it between this one's look at the clock and at the entry.
PACKET_CASE("node_ingress", "a flow that was seen a moment from now isn't silent", over_udp)
{
    Successor gateway(kind);
    gateway.take_over(kind);
    gateway.programs.put_flow(gateway.key(kind), [](abi::flow& flow) { flow.last_seen = monotonic_now() + second; });
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
                              [](abi::flow& flow) { flow.last_seen = monotonic_now() - 301 * second; });
    const Packet direct = to(request(kind), gateway.pod.at(kind));
    check_untouched(gateway.programs.ingress(direct), direct);
    check_untouched(gateway.programs.egress(reply(gateway.pod, kind)), reply(gateway.pod, kind));
}
