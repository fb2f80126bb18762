// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who may have which node port.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <unistd.h>

using namespace sallyport::test;
using sallyport::UniqueFd;

namespace {}  // namespace

TEST_CASE("without `gateways`, nobody may expose anything", "[policy]")
{
    Node node;
    node.plugin.erase("gateways");
    Pod pod(node, {.expose = "80:9080"});
    const Answer answer = pod.add();
    INFO(answer.out);
    REQUIRE(answer.code() == 100);
    CHECK(answer.mentions("gateways"));
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a namespace that isn't listed is refused, and named", "[policy]")
{
    Node node;
    Pod pod(node, {.kubernetes_namespace = "intruders", .expose = "80:9080"});
    const Answer answer = pod.add();
    INFO(answer.out);
    REQUIRE(answer.code() == 100);
    CHECK(answer.mentions("intruders"));
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a port that isn't listed is refused, and named; others of the pod aren't bound either", "[policy]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080, 22:9022"});
    const Answer answer = pod.add();
    INFO(answer.out);
    REQUIRE(answer.code() == 100);
    CHECK(answer.mentions("22"));
    CHECK(node.footprint() == nothing);
}

TEST_CASE("the default ports are 80 and 443; `*` allows every namespace", "[policy]")
{
    Node node;
    node.plugin["gateways"] = {{"namespaces", {"*"}}};
    Pod allowed(node, {.kubernetes_namespace = "anything", .expose = "80:9080, 443:9443"});
    CHECK(allowed.add().ok());
    Pod refused(node, {.kubernetes_namespace = "anything", .expose = "8080:9080"});
    CHECK(refused.add().code() == 100);
}

TEST_CASE("a pod outside Kubernetes, without a namespace, needs `*`", "[policy]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080"});
    PluginCall call = pod.call("ADD");
    call.args = "";
    CHECK(call_plugin(sallyport_binary(), call, node.host).code() == 100);
}

TEST_CASE("a port that a pod of another namespace holds is refused, and the holder named", "[policy]")
{
    Node node;
    Pod holder(node, {.name = "holder-1", .kubernetes_namespace = "gateways", .expose = "80:9080, 443:9443/udp"});
    TcpServer server(holder.netns, "holder", {"::", 9080});
    require_ok(holder.add());
    const std::string expose = GENERATE("80:8080", "443:9443/udp", "8080:80, 80:9080", "192.168.100.1:80:9080");
    CAPTURE(expose);
    Pod second(node, {.name = "second", .kubernetes_namespace = "others", .expose = expose});
    TcpServer other(second.netns, "second", {"::", 80});

    const std::vector<std::string> before = node.footprint();
    const Answer answer = second.add();
    INFO(answer.out);
    REQUIRE(answer.code() == 101);
    CHECK(answer.mentions("gateways/holder-1"));
    CHECK(node.footprint() == before);
    CHECK(second.del().ok());  // as a runtime does after a failed ADD
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "holder " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 8080}) == "refused");

    require_ok(holder.del());
    CHECK(second.add().ok());
}

TEST_CASE("the same port of another protocol is free", "[policy]")
{
    Node node;
    Pod tcp(node, {.name = "tcp", .kubernetes_namespace = "gateways", .expose = "443:9443"});
    Pod udp(node, {.name = "udp", .kubernetes_namespace = "others", .expose = "443:9443/udp"});
    TcpServer server(tcp.netns, "tcp", {"::", 9443});
    UdpServer quic(udp.netns, "udp", {"::", 9443});
    require_ok(tcp.add());
    require_ok(udp.add());
    CHECK(ask_tcp(node.client, {node_v4, 443}) == "tcp " + client_v4);
    CHECK(ask_udp(node.client, {node_v4, 443}) == "udp " + client_v4 + " 3");
}

TEST_CASE("a port that a host process listens on is refused, and process and pid named", "[policy]")
{
    Node node;
    const Target listen = GENERATE(Target{"0.0.0.0", 80}, Target{"::", 80}, Target{node_v4, 80}, Target{node_v6, 80},
                                   Target{"127.0.0.1", 80});  // the node itself reaches exposed ports there
    const bool udp = GENERATE(false, true);
    CAPTURE(listen.to_string(), udp);
    const UniqueFd socket = bound_socket(node.host, listen, udp ? SOCK_DGRAM : SOCK_STREAM);
    Pod pod(node, {.expose = udp ? "443:9443, 80:9080/udp" : "443:9443, 80:9080"});
    const Answer answer = pod.add();
    INFO(answer.out << answer.err);
    REQUIRE(answer.code() == 101);
    CHECK(answer.mentions(std::to_string(getpid())));
    CHECK(answer.mentions("node_tests"));
    CHECK(answer.mentions("80"));
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a host process at an address that isn't answered is no obstacle, and keeps its port there", "[policy]")
{
    Node node;
    node.plugin["addresses"] = {"!192.168.100.50"};
    node.host.ip("addr add 192.168.100.50/32 dev eth0\n");
    const UniqueFd resolved = bound_socket(node.host, {"127.0.0.53", 80}, SOCK_STREAM);
    const TcpServer theirs(node.host, "theirs", {"192.168.100.50", 80});
    Pod pod(node, {.expose = "80:9080"});
    TcpServer server(pod.netns, "gateway", {"::", 9080});
    require_ok(pod.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    CHECK(ask_tcp(node.client, {"192.168.100.50", 80}) == "theirs " + client_v4);
}

TEST_CASE("a refusal for a listener at one address says how to leave it that", "[policy]")
{
    Node node;
    const UniqueFd socket = bound_socket(node.host, {node_v4, 80}, SOCK_STREAM);
    Pod pod(node, {.expose = "80:9080"});
    const Answer answer = pod.add();
    REQUIRE(answer.code() == 101);
    CHECK(answer.mentions("\"!" + node_v4 + "\" in `addresses`"));
}

TEST_CASE("a host process on the same port of another protocol, or on another port, is no obstacle", "[policy]")
{
    Node node;
    const UniqueFd other_port = bound_socket(node.host, {"0.0.0.0", 9080}, SOCK_STREAM);
    const UniqueFd datagrams = bound_socket(node.host, {"0.0.0.0", 80}, SOCK_DGRAM);
    Pod pod(node, {.expose = "80:9080"});
    TcpServer server(pod.netns, "gateway", {"::", 9080});
    require_ok(pod.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
}

TEST_CASE("ADD of the same container again replaces what it had", "[policy]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080"});
    TcpServer server(pod.netns, "gateway", {"::", 9080});
    require_ok(pod.add());
    require_ok(pod.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    require_ok(pod.del());
    CHECK(node.footprint() == nothing);
}
