// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// fastPath: from the outside device to the pod's at once, and back. A test run doesn't follow a redirect, but says so.
#include "icmp_error.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr int verdict_redirect = 7;
constexpr std::uint32_t host_device = 4242;

/// A gateway whose pod's device is at hand.
struct FastGateway : OneGateway
{
    explicit FastGateway(Kind kind, bool fast = true) : OneGateway(kind)
    {
        programs.change(node_port, kind.protocol, [&](abi::node_port& port) {
            port.backends[0].host_device = host_device;
            port.backends[0].fast = fast;
        });
    }

    Outcome uplink(const Packet& packet) const { return programs.run("pod_uplink", packet); }
};

void check_redirected(const Outcome& outcome, const Packet& expected, Where where = Where::current())
{
    INFO("checked at " << where.file_name() << ':' << where.line());
    CHECK(outcome.verdict == verdict_redirect);
    CHECK(outcome.out == expected.bytes());
}

}  // namespace

PACKET_CASE("node_ingress", "with a fast path, packets are translated and go to the pod's device at once", every_kind)
{
    const FastGateway gateway(kind);
    const Packet first = request(kind);
    const Packet next = with_flags(first, tcp_flag::ack);
    check_redirected(gateway.programs.ingress(first), to(first, gateway.pod.at(kind)));
    check_redirected(gateway.programs.ingress(next), to(next, gateway.pod.at(kind)));
    const auto flow = gateway.programs.flow(flow_key_of(gateway.pod.at(kind), client_at(kind), kind.protocol));
    REQUIRE(flow);
    CHECK(flow->host_device == host_device);
    CHECK(flow->device == 1);  // a test run's: the namespace's loopback
}

PACKET_CASE("pod_uplink", "replies go out at once, and are translated on the outside device", every_kind)
{
    const FastGateway gateway(kind);
    gateway.programs.ingress(request(kind));
    const Packet answer = reply(gateway.pod, kind);
    check_redirected(gateway.uplink(answer), answer);
    check_translated(gateway.programs.egress(answer), from(answer, gateway.node_port));
}

PACKET_CASE("pod_uplink", "replies whose way is by another device, or by none, go the usual way", every_kind)
{
    const FastGateway gateway(kind);
    gateway.programs.ingress(request(kind));
    const Packet answer = reply(gateway.pod, kind);
    const Namespace node("node-of-two-devices");
    node.set_sysctl("net/ipv4/ip_forward", "1");
    node.set_sysctl("net/ipv6/conf/all/forwarding", "1");
    node.ip("link add other type veth peer name end\nlink set other up\nlink set end up\n");
    const auto outcome = [&] { return node.run([&] { return gateway.uplink(answer); }); };
    const std::string to_client = client_at(kind).address + (kind.v6 ? "/128" : "/32");
    check_untouched(outcome(), answer);
    node.ip("route add " + to_client + " dev other\n");
    check_untouched(outcome(), answer);
    node.ip("route replace " + to_client + " dev lo\n");  // by which a test run's requests come in
    check_redirected(outcome(), answer);
}

PACKET_CASE("pod_uplink", "flows that came the usual way go back the usual way", every_kind)
{
    const FastGateway gateway(kind, false);
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
    const Packet answer = reply(gateway.pod, kind);
    check_untouched(gateway.uplink(answer), answer);
}

PACKET_CASE("pod_uplink", "packets of no flow, and direct ones, go the usual way", every_kind)
{
    const FastGateway gateway(kind);
    const Packet answer = reply(gateway.pod, kind);
    check_untouched(gateway.uplink(answer), answer);
    const Packet direct = to(request(kind), gateway.pod.at(kind));
    check_untouched(gateway.programs.ingress(direct), direct);
    check_untouched(gateway.uplink(answer), answer);
    gateway.programs.ingress(request(kind, 40001));
    const Packet other = from(reply(gateway.pod, kind, 40001), gateway.pod.at(kind, 9081));
    check_untouched(gateway.uplink(other), other);
}

PACKET_CASE("pod_uplink", "fragments go the usual way, both ways", every_kind)
{
    const FastGateway gateway(kind);
    gateway.programs.ingress(request(kind));
    Packet in = with_flags(request(kind), tcp_flag::ack);
    Packet out = with_flags(reply(gateway.pod, kind), tcp_flag::ack);
    in.payload = out.payload = counting(100);
    const Packet seen = to(in, gateway.pod.at(kind));
    tried().insert({"pod_uplink", kind});
    for (const std::size_t i : {0U, 1U}) {
        check_bytes(gateway.programs.run("node_ingress", in.fragments(48).at(i)), seen.fragments(48).at(i));
        check_bytes(gateway.programs.run("pod_uplink", out.fragments(48).at(i)), out.fragments(48).at(i));
    }
}

PACKET_CASE("pod_uplink", "errors go the usual way", over_icmp)
{
    const std::uint8_t protocol = GENERATE(std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP});
    const Kind about{kind.v6, protocol};
    const FastGateway gateway(about);
    gateway.programs.ingress(request(about));
    const Packet error = icmp_error(gateway.pod.at(about).address, client_at(about).address, too_big(kind),
                                    carried(to(request(about), gateway.pod.at(about)), 8));
    check_untouched(gateway.uplink(error), error);
}

PACKET_CASE("node_ingress", "a device without a link-layer header has no fast path", every_kind)
{
    OneGateway gateway(kind, {.link_header = 0});
    gateway.programs.change(gateway.node_port, kind.protocol, [](abi::node_port& port) {
        port.backends[0].host_device = host_device;
        port.backends[0].fast = true;
    });
    Packet in = from(request(kind), {kind.v6 ? "2001:db8:86dd::7" : "8.0.0.7", 40000});  // as in link_test.cpp
    in.payload = counting(40);
    tried().insert({"node_ingress", kind});
    check_bytes(gateway.programs.run("node_ingress", without_link(in.bytes())),
                without_link(to(in, gateway.pod.at(kind)).bytes()));
}
