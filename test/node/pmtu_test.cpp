// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// ICMP errors about translated packets: they reach whom they are meant for, and name what that one knows. Path-MTU
// discovery is the reason that everybody meets.
#include "support/cilium.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"
#include "support/wide_network.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>

#include <cstring>
#include <optional>

using sallyport::UniqueFd;
using namespace sallyport::test;

namespace {

constexpr unsigned small_mtu = 1300;

struct NarrowGateway
{
    explicit NarrowGateway(Node& node, Cilium* cilium = nullptr) : pod(node, {.expose = "80:9080, 443:9443/udp"})
    {
        if (cilium)
            cilium->connect(pod, {{9080, IPPROTO_TCP}, {9443, IPPROTO_UDP}});
        require_ok(pod.add());
    }

    Pod pod;
    TcpServer tcp{pod.netns, "gateway", {"::", 9080}};
};

/// What the pod's own kernel has learned about the way to that address.
std::string learned_route(const Pod& pod, const std::string& address)
{
    return must_execute({.argv = {"ip", "route", "get", address}, .netns = &pod.netns});
}

/// An ICMP error as its receiver sees it: the source of the packet that it is about.
struct SeenError
{
    int type = 0;
    Target about;
};

SeenError parse_v4(const char* packet, std::size_t size)
{
    struct ip outer{}, inner{};
    icmphdr icmp{};
    udphdr udp{};
    std::memcpy(&outer, packet, sizeof outer);
    const std::size_t at = outer.ip_hl * 4U;
    if (size < at + sizeof icmp + sizeof inner + sizeof udp)
        return {};
    std::memcpy(&icmp, packet + at, sizeof icmp);
    std::memcpy(&inner, packet + at + sizeof icmp, sizeof inner);
    std::memcpy(&udp, packet + at + sizeof icmp + inner.ip_hl * 4U, sizeof udp);
    SocketAddress source;
    source.storage.ss_family = AF_INET;
    reinterpret_cast<sockaddr_in&>(source.storage).sin_addr = inner.ip_src;
    reinterpret_cast<sockaddr_in&>(source.storage).sin_port = udp.source;
    return {icmp.type, source.target()};
}

/// IPv6 raw sockets deliver without the outer header.
SeenError parse_v6(const char* packet, std::size_t size)
{
    icmp6_hdr icmp{};
    ip6_hdr inner{};
    udphdr udp{};
    if (size < sizeof icmp + sizeof inner + sizeof udp)
        return {};
    std::memcpy(&icmp, packet, sizeof icmp);
    std::memcpy(&inner, packet + sizeof icmp, sizeof inner);
    std::memcpy(&udp, packet + sizeof icmp + sizeof inner, sizeof udp);
    SocketAddress source;
    source.storage.ss_family = AF_INET6;
    reinterpret_cast<sockaddr_in6&>(source.storage).sin6_addr = inner.ip6_src;
    reinterpret_cast<sockaddr_in6&>(source.storage).sin6_port = udp.source;
    return {icmp.icmp6_type, source.target()};
}

UniqueFd icmp_socket(const Namespace& netns, bool v6)
{
    return netns.run([&] {
        const int protocol = v6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
        return UniqueFd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol));
    });
}

/// The next error of this type that arrives; type 0 where none does.
SeenError next_error(int socket, bool v6, int type)
{
    while (wait_for(socket, POLLIN, patience)) {
        char packet[2048];
        const ssize_t size = recv(socket, packet, sizeof packet, 0);
        if (size <= 0)
            break;
        const auto length = static_cast<std::size_t>(size);
        const SeenError error = v6 ? parse_v6(packet, length) : parse_v4(packet, length);
        if (error.type == type)
            return error;
    }
    return {};
}

}  // namespace

TEST_CASE("a download finishes over a path with a smaller MTU than either end's", "[pmtu]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const WideNetwork network(node, small_mtu);
    const bool with_cilium = GENERATE(false, true);
    CAPTURE(with_cilium);
    std::optional<Cilium> cilium;
    if (with_cilium)
        cilium.emplace(node, Cilium::Mode::tcx);
    const NarrowGateway gateway(node, cilium ? &*cilium : nullptr);
    for (const auto& [address, far] : {std::pair(node_v4, far_v4), std::pair(node_v6, far_v6)}) {
        CAPTURE(address);
        Connection down(network.far, {address, 80});
        down.send("give 3000000\n");
        CHECK(down.read_all() == pattern(3'000'000));
        CHECK(learned_route(gateway.pod, far).find("mtu " + std::to_string(small_mtu)) != std::string::npos);
    }
}

TEST_CASE("an upload finishes where the way to the pod has a smaller MTU than the client's", "[pmtu]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const NarrowGateway gateway(node);
    // The node's end alone: the pod goes on announcing what its own device takes.
    const std::string device = gateway.pod.primary_result.at("interfaces").at(0).at("name");
    node.host.ip("link set " + device + " mtu " + std::to_string(small_mtu) + "\n");
    for (const std::string& address : {node_v4, node_v6}) {
        CAPTURE(address);
        CHECK(transfer_both_ways(node.client, {address, 80}, 3'000'000) == "");
        const std::string learned = must_execute({.argv = {"ip", "route", "get", address}, .netns = &node.client});
        CHECK(learned.find("mtu " + std::to_string(small_mtu)) != std::string::npos);
    }
}

TEST_CASE("a pod's own refusal of a datagram reaches the client as the node's", "[pmtu]")
{
    Node node;
    const bool with_cilium = GENERATE(false, true);
    CAPTURE(with_cilium);
    std::optional<Cilium> cilium;
    if (with_cilium)
        cilium.emplace(node, Cilium::Mode::tcx);
    const NarrowGateway gateway(node, cilium ? &*cilium : nullptr);
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        CAPTURE(address);
        const DialOptions from_one_port{.source = Target{own, 40000}};
        {
            UdpServer udp(gateway.pod.netns, "gateway", {"::", 9443});
            CHECK(ask_udp(node.client, {address, 443}, from_one_port) == "gateway " + own + " 3");
        }
        CHECK(ask_udp(node.client, {address, 443}, from_one_port) == "refused");
    }
}

TEST_CASE("an error about the pod's own packet reaches the pod, and names its address and port", "[pmtu]")
{
    Node node;
    const WideNetwork network(node, 1500);
    const NarrowGateway gateway(node);
    const bool v6 = GENERATE(false, true);
    CAPTURE(v6);
    const std::string& node_address = v6 ? node_v6 : node_v4;
    const std::string& pod_address = v6 ? gateway.pod.v6 : gateway.pod.v4;
    const UniqueFd errors = icmp_socket(gateway.pod.netns, v6);
    const UniqueFd server = bound_socket(gateway.pod.netns, {pod_address, 9443}, SOCK_DGRAM);
    const int hops = 2;  // the node, and the client's router, which sends the error
    REQUIRE(setsockopt(server.get(), v6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP),
                       v6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops, sizeof hops) == 0);

    const UniqueFd client = bound_socket(network.far, {v6 ? far_v6 : far_v4, 40000}, SOCK_DGRAM);
    const SocketAddress to({node_address, 443});
    REQUIRE(sendto(client.get(), "hello", 5, 0, to.raw(), to.size) == 5);
    REQUIRE(wait_for(server.get(), POLLIN, patience));
    char datagram[16];
    SocketAddress from;
    REQUIRE(recvfrom(server.get(), datagram, sizeof datagram, 0, from.raw(), &from.size) == 5);
    REQUIRE(sendto(server.get(), datagram, 5, 0, from.raw(), from.size) == 5);

    const SeenError error = next_error(errors.get(), v6, v6 ? ICMP6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED);
    CHECK(error.about.to_string() == Target{pod_address, 9443}.to_string());
}
