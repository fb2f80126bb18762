// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `reservePorts`, the half that works at bind(): a process of the node doesn't get a port that is exposed. (That a pod
// doesn't get a port on which a process listens is policy_test's.)
#include "support/local_node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <cerrno>
#include <cstring>

using namespace sallyport::test;

namespace {

struct Attempt
{
    Target at;
    int type = SOCK_STREAM;
    bool v6_only = true;
};

/// What bind() says: "bound", or the error's text.
std::string bind_at(const Namespace& netns, const Attempt& attempt)
{
    const SocketAddress address(attempt.at);
    const sallyport::UniqueFd socket = open_socket(netns, address.storage.ss_family, attempt.type);
    if (address.storage.ss_family == AF_INET6) {
        const int only = attempt.v6_only && attempt.at.address.find("ffff") == std::string::npos ? 1 : 0;
        setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    }
    return bind(socket.get(), address.raw(), address.size) == 0 ? "bound" : std::strerror(errno);
}

const std::string in_use = std::strerror(EADDRINUSE);

}  // namespace

TEST_CASE("a process of the node can't bind an exposed port", "[reserve]")
{
    LocalNode node;
    node.plugin["addresses"] = {virtual_v4 + "/32"};
    LocalGateway gateway(node, "gateway", "80:9080, 443:9080/udp");
    require_ok(gateway.pod.add());
    node.host.set_sysctl("net/ipv4/ip_nonlocal_bind", "1");  // for the virtual address
    const Stay stay(node.cgroup, processes);

    for (const std::string& address : {std::string("0.0.0.0"), std::string("::"), std::string("127.0.0.1"),
                                       std::string("::1"), node_v4, node_v6, "::ffff:" + node_v4, virtual_v4}) {
        CAPTURE(address);
        CHECK(bind_at(node.host, {{address, 80}}) == in_use);
        CHECK(bind_at(node.host, {{address, 443}, SOCK_DGRAM}) == in_use);
        CHECK(bind_at(node.host, {{address, 80}, SOCK_DGRAM}) == "bound");
        CHECK(bind_at(node.host, {{address, 443}}) == "bound");
        CHECK(bind_at(node.host, {{address, 81}}) == "bound");
        CHECK(bind_at(node.host, {{address, 9080}}) == "bound");
    }
    CHECK(bind_at(node.host, {{"10.1.0.1", 0}}) == "bound");
    // At an address that isn't answered nothing is taken from anybody.
    for (const char* const others : {"127.0.0.53", "::ffff:127.0.0.53", "10.1.0.1"}) {
        CAPTURE(others);
        CHECK(bind_at(node.host, {{others, 80}}) == "bound");
        CHECK(bind_at(node.host, {{others, 443}, SOCK_DGRAM}) == "bound");
    }

    require_ok(gateway.pod.del());
    CHECK(bind_at(node.host, {{"0.0.0.0", 80}}) == "bound");
}

TEST_CASE("other addresses' and other namespaces' binds are untouched", "[reserve]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", node_v4 + ":80:9080");
    Pod other(node, {.name = "other"});
    require_ok(gateway.pod.add());
    node.host.ip("addr add 10.77.0.1/32 dev lo\n");  // younger than the list of the node's addresses
    const Stay stay(node.cgroup, processes);

    CHECK(bind_at(node.host, {{node_v4, 80}}) == in_use);
    CHECK(bind_at(node.host, {{"0.0.0.0", 80}}) == in_use);
    CHECK(bind_at(node.host, {{"127.0.0.1", 80}}) == "bound");
    CHECK(bind_at(node.host, {{"10.77.0.1", 80}}) == "bound");
    CHECK(bind_at(node.host, {{node_v6, 80}}) == "bound");
    CHECK(bind_at(node.host, {{"::", 80}}) == "bound");
    for (const Namespace* elsewhere : {&other.netns, &gateway.pod.netns}) {
        CHECK(bind_at(*elsewhere, {{"0.0.0.0", 80}}) == "bound");
        CHECK(bind_at(*elsewhere, {{"::", 80}}) == "bound");
    }
}

TEST_CASE("a dual-stack socket is refused for IPv4's sake, one of IPv6 alone isn't", "[reserve]")
{
    LocalNode node;
    Pod gateway(node, {.name = "gateway", .expose = "80:9080, 80:9080/udp", .v6 = false});
    require_ok(gateway.add());
    const Stay stay(node.cgroup, processes);
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
        CHECK(bind_at(node.host, {{"::", 80}, type, true}) == "bound");
        CHECK(bind_at(node.host, {{"::", 80}, type, false}) == in_use);
        CHECK(bind_at(node.host, {{"::1", 80}, type, false}) == "bound");
        CHECK(bind_at(node.host, {{"::", 81}, type, false}) == "bound");
    }
}

TEST_CASE("reservePorts: false lets anybody bind anything", "[reserve]")
{
    LocalNode node;
    node.plugin["reservePorts"] = false;
    LocalGateway gateway(node, "gateway", "80:9080");
    gateway.listen();
    require_ok(gateway.pod.add());
    const Stay stay(node.cgroup, processes);
    CHECK(bind_at(node.host, {{"0.0.0.0", 80}}) == "bound");
    CHECK(name_in(ask_tcp(node.host, {"127.0.0.1", 80})) == "gateway");
}

TEST_CASE("a process that only connects may be given any port", "[reserve]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "8000:9080");
    Pod server(node, {.name = "server"});
    TcpServer answering(server.netns, "server", {"::", 1234});
    require_ok(gateway.pod.add());
    node.host.set_sysctl("net/ipv4/ip_local_port_range", "8000 8000");
    const Stay stay(node.cgroup, processes);
    CHECK(name_in(ask_tcp(node.host, {server.v4, 1234})) == "server");
}
