// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One client port towards every end that leads to the same socket, in every order, past the node's programs and the
// pod's: each connection is another one for the pod, and each reply comes from where it was asked.
#include "pod_programs.hpp"
#include "real_connection.hpp"

#include <algorithm>
#include <array>
#include <list>
#include <set>

using namespace sallyport;
using namespace sallyport::test;

namespace {

enum End { exposed, exposed_and_remapped, remapped, direct };

/// Exposes 8080:9080 and 80:80, remaps 80:9080.
struct AllEnds : RemappingGateway
{
    explicit AllEnds(Kind of_kind) : RemappingGateway(of_kind), kind(of_kind)
    {
        programs.expose(node_at(kind, 8080), kind.protocol, {&pod});
        programs.expose(node_at(kind, 80), kind.protocol, {&pod}, abi::SHARE_NEWEST, 80);
        programs.listen_elsewhere(node_at(kind, 80), kind.protocol, 9080);
    }

    Target asked(End end) const
    {
        const std::array<Target, 4> ends{node_at(kind, 8080), node_at(kind, 80), pod_port, pod.at(kind)};
        return ends.at(end);
    }

    /// Where a packet to that end goes between the node's programs and the pod's.
    Target between(End end) const { return end == exposed_and_remapped || end == remapped ? pod_port : pod.at(kind); }

    static std::uint16_t source_port(const Bytes& frame, const Packet& like)
    {
        return static_cast<std::uint16_t>(frame.at(like.l4()) << 8 | frame.at(like.l4() + 1));
    }

    /// Returns the client's port as the pod sees it.
    std::uint16_t check_in(const Packet& in, End end) const
    {
        const Outcome at_node = programs.ingress(in);
        REQUIRE(at_node.out.size() == in.bytes().size());
        const Packet on = from(to(in, between(end)), client_at(kind, source_port(at_node.out, in)));
        check_translated(at_node, on);
        const Outcome at_pod = inside.ingress(on);
        const std::uint16_t shown = source_port(at_pod.out, in);
        check_translated(at_pod, from(to(in, pod.at(kind)), client_at(kind, shown)));
        return shown;
    }

    void check_out(const Packet& out, const Packet& expected) const
    {
        const Bytes left = inside.run("pod_egress", out.bytes()).out;
        tried().insert({"pod_egress", kind});
        check_bytes(programs.run("node_egress", left), expected.bytes());
    }

    void check_goes_on(End end, std::uint16_t client_port, std::uint16_t shown) const
    {
        const Packet in = with_flags(to(test::request(kind, client_port), asked(end)), tcp_flag::ack);
        CHECK(check_in(in, end) == shown);
        const Packet out = with_flags(reply(pod, kind, shown), tcp_flag::ack);
        check_out(out, from(to(out, client_at(kind, client_port)), asked(end)));
    }

    Kind kind;
};

struct Opened
{
    End end;
    std::uint16_t shown;
};

/// In this order, one connection to each end, and its socket in the pod (TCP). Then all of them go on. `seen`: the
/// client's ports as the pod saw them.
void check_order(AllEnds& gateway, const std::vector<End>& order, std::uint16_t client_port,
                 std::set<std::uint16_t>& seen)
{
    std::list<RealConnection> sockets;
    std::vector<Opened> opened;
    std::set<std::uint16_t> ports;
    for (const End end : order) {
        CAPTURE(int{end}, opened.size());
        const Packet first = to(request(gateway.kind, client_port), gateway.asked(end));
        const std::uint16_t shown = gateway.check_in(first, end);
        CHECK(gateway.check_in(first, end) == shown);  // sent again
        CHECK((shown == client_port) == opened.empty());
        CHECK(ports.insert(shown).second);
        seen.insert(shown);
        if (gateway.kind.tcp())
            sockets.emplace_back(gateway.pod, gateway.listener, gateway.kind, shown);
        const Packet answer = reply(gateway.pod, gateway.kind, shown);
        gateway.check_out(answer, from(to(answer, client_at(gateway.kind, client_port)), gateway.asked(end)));
        opened.push_back({end, shown});
        for (const Opened& one : opened)
            gateway.check_goes_on(one.end, client_port, one.shown);
    }
    if (!gateway.kind.tcp())
        return;
    gateway.programs.clear_flows();
    for (const Opened& one : opened) {
        CAPTURE(int{one.end});
        gateway.check_goes_on(one.end, client_port, one.shown);
    }
}

}  // namespace

PACKET_CASE("pod_ingress", "every end from one client port, in every order", every_kind)
{
    AllEnds gateway(kind);
    std::vector<End> order{exposed, exposed_and_remapped, remapped, direct};
    std::set<std::uint16_t> seen;
    std::uint16_t client_port = 40000;
    int orders = 0;
    do {
        CAPTURE(int{order[0]}, int{order[1]}, int{order[2]}, int{order[3]});
        while (seen.contains(client_port))  // another connection of the client's may be shown under that one
            client_port++;
        check_order(gateway, order, client_port, seen);
        orders++;
    } while (std::next_permutation(order.begin(), order.end()));
    CHECK(orders == 24);
    CHECK(gateway.programs.drops(abi::DROP_CLASH) == 0);
}
