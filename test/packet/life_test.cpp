// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod that ended without DEL is nobody: the kernel has taken its entry out of `living`, and all else of it is there.
#include "icmp_error.hpp"
#include "pod_programs.hpp"

#include <chrono>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;

namespace {

void end(Programs& programs, const TestPod& pod)
{
    programs.living.erase(abi::living_key(pod.id));
}

/// Of a connection that is there already.
Packet following(const Packet& packet)
{
    return packet.protocol == IPPROTO_TCP ? with_flags(packet, tcp_flag::ack) : packet;
}

}  // namespace

PACKET_CASE("node_ingress", "the kernel knows when a pod's namespace ends, and from then on the host refuses",
            every_kind)
{
    OneGateway gateway(kind);
    // By its own namespace, as the command does it.
    gateway.pod.netns.run([&] { gateway.programs.living.put(abi::living_key(gateway.pod.id), 1); });
    check_translated(gateway.programs.ingress(request(kind)), to(request(kind), gateway.pod.at(kind)));
    gateway.listener = UniqueFd();
    gateway.pod.netns.remove();
    const auto limit = std::chrono::steady_clock::now() + patience;
    while (gateway.programs.living.find(abi::living_key(gateway.pod.id))) {
        REQUIRE(std::chrono::steady_clock::now() < limit);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    check_untouched(gateway.programs.ingress(request(kind)), request(kind));
    check_untouched(gateway.programs.ingress(request(kind, 40001)), request(kind, 40001));
}

PACKET_CASE("node_ingress", "a gone pod's connections are nobody's", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    end(gateway.programs, gateway.pod);
    check_untouched(gateway.programs.ingress(following(request(kind))), following(request(kind)));
    CHECK_FALSE(gateway.programs.flow(flow_key_of(gateway.pod.at(kind), client_at(kind), kind.protocol)));
}

PACKET_CASE("node_egress", "what comes from a gone pod's address is somebody else's", every_kind)
{
    OneGateway gateway(kind);
    open_flow(gateway.programs, gateway.pod, kind);
    end(gateway.programs, gateway.pod);
    const Packet packet = following(reply(gateway.pod, kind));
    check_untouched(gateway.programs.egress(packet), packet);
}

PACKET_CASE("node_ingress", "of two pods the one that lives takes it, whatever was seen of the other", every_kind)
{
    Programs programs;
    const TestPod old(7, "10.0.0.7", "fd00::7");
    const TestPod young(8, "10.0.0.8", "fd00::8");
    const UniqueFd old_one = old.listen(kind);
    const UniqueFd young_one = young.listen(kind);
    programs.expose(node_at(kind), kind.protocol, {&young, &old});
    check_translated(programs.ingress(request(kind)), to(request(kind), young.at(kind)));
    end(programs, young);
    check_translated(programs.ingress(request(kind)), to(request(kind), old.at(kind)));
    check_translated(programs.ingress(request(kind, 40001)), to(request(kind, 40001), old.at(kind)));
}

PACKET_CASE("node_ingress", "nobody waits for a gone pod, but for one that lives", every_kind)
{
    Programs programs;
    const TestPod old(7, "10.0.0.7", "fd00::7");
    const TestPod young(8, "10.0.0.8", "fd00::8");
    programs.expose(node_at(kind), kind.protocol, {&young, &old});
    programs.change(node_at(kind), kind.protocol, [](abi::node_port& port) { port.backends[0].hold_ms = 15000; });
    end(programs, young);
    check_translated(programs.ingress(request(kind)), to(request(kind), old.at(kind)));
    check_dropped(programs.egress(refusal(old, kind)));
    end(programs, old);
    check_untouched(programs.ingress(request(kind)), request(kind));
}

PACKET_CASE("ask_listener", "a gone pod doesn't listen, whoever has its namespace's id now", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    const UniqueFd listener = pod.listen(kind);
    REQUIRE(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    end(programs, pod);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
}

PACKET_CASE("pod_ingress", "a remap ends with its pod", every_kind)
{
    RemappingGateway gateway(kind);
    check_translated(gateway.inside.ingress(gateway.request(kind)), to(gateway.request(kind), gateway.pod.at(kind)));
    end(gateway.programs, gateway.pod);
    check_untouched(gateway.inside.ingress(gateway.request(kind)), gateway.request(kind));
}
