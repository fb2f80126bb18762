// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `hostPort` in a pod's spec, where the conflist asks for the capability: as the portmap plugin would serve it.
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"
#include "support/web.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport::test;

namespace {

Json mapping(int host_port, int container_port, const std::string& protocol = "tcp", const std::string& host_ip = "")
{
    Json result{{"hostPort", host_port}, {"containerPort", container_port}, {"protocol", protocol}};
    if (!host_ip.empty())
        result["hostIP"] = host_ip;
    return result;
}

void ask_for_port_mappings(Node& node)
{
    node.plugin["capabilities"]["portMappings"] = true;
    node.plugin["gateways"] = {{"namespaces", Json::array()}};  // guards annotations only; PodSecurity guards hostPort
}

}  // namespace

TEST_CASE("port mappings are served in libcni's spelling and in containerd's", "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    const Json mappings = GENERATE(
        Json::array({mapping(8080, 80), mapping(5353, 53, "udp")}),
        Json::array({{{"HostPort", 8080}, {"ContainerPort", 80}, {"Protocol", "TCP"}, {"HostIP", ""}},
                     {{"HostPort", 5353}, {"ContainerPort", 53}, {"Protocol", "udp"}, {"HostIP", "0.0.0.0"}}}));
    Pod pod(node, {.kubernetes_namespace = "default", .port_mappings = mappings});
    TcpServer web(pod.netns, "web", {"::", 80});
    UdpServer dns(pod.netns, "dns", {"::", 53});
    require_ok(pod.add());
    CHECK(ask_tcp(node.client, {node_v4, 8080}) == "web " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 8080}) == "web " + client_v6);
    CHECK(ask_udp(node.client, {node_v4, 5353}) == "dns " + client_v4 + " 3");
    require_ok(pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a mapping's hostIP narrows it", "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    node.host.ip("addr add 192.168.100.7/24 dev eth0\n");
    Pod pod(node, {.port_mappings = Json::array({mapping(8080, 80, "tcp", "192.168.100.7")})});
    TcpServer web(pod.netns, "web", {"::", 80});
    require_ok(pod.add());
    CHECK(ask_tcp(node.client, {"192.168.100.7", 8080}) == "web " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 8080}) == "refused");
}

TEST_CASE("a load balancer isn't sent to a port that the node has for itself alone", "[port mappings][web]")
{
    Node node;
    ask_for_port_mappings(node);
    Pod pod(node, {.port_mappings = Json::array({mapping(8080, 80, "tcp", "127.0.0.1"), mapping(8443, 443)})});
    const TcpServer web(pod.netns, "web", {"::", 80});
    const TcpServer tls(pod.netns, "tls", {"::", 443});
    require_ok(pod.add());
    const Web agent(node);
    CHECK(agent.get("/ports/8443").status == 200);
    CHECK(agent.get("/ports/8080").status == 503);
    CHECK(agent.get("/ports/8080").body == "no pod holds port 8080/tcp over IPv4\n");
}

TEST_CASE("container ports without a hostPort are none of ours", "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    Pod pod(node, {.port_mappings = Json::array({mapping(0, 80)})});
    require_ok(pod.add());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("mappings that can't be served are refused", "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    const Json wrong = GENERATE(Json::array({mapping(8080, 80, "sctp")}), Json::array({mapping(65536, 80)}),
                                Json::array({mapping(8080, 0)}), Json::array({mapping(8080, 80, "tcp", "example.com")}),
                                Json::array({mapping(8080, 80), mapping(8080, 81)}), Json("8080:80"));
    CAPTURE(wrong.dump());
    Pod pod(node, {.port_mappings = wrong});
    const Answer answer = pod.add();
    INFO(answer.out << answer.err);
    REQUIRE_FALSE(answer.ok());
    CHECK((answer.code() == 7 || answer.code() == 102));
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a mapping of a taken port is refused, where portmap would silently give it nothing", "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    Pod first(node, {.name = "first", .kubernetes_namespace = "a", .port_mappings = Json::array({mapping(8080, 80)})});
    Pod second(node,
               {.name = "second", .kubernetes_namespace = "b", .port_mappings = Json::array({mapping(8080, 80)})});
    require_ok(first.add());
    const Answer answer = second.add();
    INFO(answer.out);
    REQUIRE(answer.code() == 101);
    CHECK(answer.message().find("a/first") != std::string::npos);
}

TEST_CASE("a second pod gets the UDP port at once after the first one's DEL, from the same client socket",
          "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    const DialOptions same_source{.source = Target{client_v4, 45000}};
    for (const char* name : {"first", "second"}) {
        Pod pod(node, {.name = name, .port_mappings = Json::array({mapping(5353, 53, "udp")})});
        UdpServer dns(pod.netns, name, {"::", 53});
        require_ok(pod.add());
        CHECK(ask_udp(node.client, {node_v4, 5353}, same_source) == std::string(name) + " " + client_v4 + " 3");
        require_ok(pod.del());
    }
}

TEST_CASE("a mapping at 127.0.0.1 or ::1 is for the node itself", "[port mappings]")
{
    LocalNode node;
    ask_for_port_mappings(node);
    const auto address = GENERATE(std::string("127.0.0.1"), std::string("::1"));
    Pod pod(node,
            {.port_mappings = Json::array({mapping(8080, 80, "tcp", address), mapping(5353, 53, "udp", address)})});
    TcpServer web(pod.netns, "web", {"::", 80});
    UdpServer dns(pod.netns, "dns", {"::", 53});
    require_ok(pod.add());
    for (const std::string& of_node : {node_v4, node_v6})
        CHECK(ask_tcp(node.client, {of_node, 8080}) == "refused");
    {
        const Stay stay(node.cgroup, processes);
        CHECK(name_in(ask_tcp(node.host, {address, 8080})) == "web");
        CHECK(name_in(ask_udp(node.host, {address, 5353})) == "dns");
        for (const std::string& of_node : {node_v4, node_v6})
            CHECK(ask_tcp(node.host, {of_node, 8080}) == "refused");
        CHECK(ask_tcp(pod.netns, {address, 8080}) == "refused");  // its own loopback is another one
    }
    require_ok(pod.del());
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("one hostPort at three places, as Kubernetes' conformance test has it", "[port mappings]")
{
    LocalNode node;
    ask_for_port_mappings(node);
    Pod local(node, {.name = "local", .port_mappings = Json::array({mapping(54323, 80, "TCP", "127.0.0.1")})});
    Pod outside(node, {.name = "outside", .port_mappings = Json::array({mapping(54323, 80, "TCP", node_v4)})});
    Pod datagrams(node, {.name = "datagrams", .port_mappings = Json::array({mapping(54323, 80, "UDP", node_v4)})});
    const TcpServer of_local(local.netns, "local", {"::", 80});
    const TcpServer of_outside(outside.netns, "outside", {"::", 80});
    const UdpServer of_datagrams(datagrams.netns, "datagrams", {"::", 80});
    for (Pod* pod : {&local, &outside, &datagrams})
        require_ok(pod->add());
    const Stay stay(node.cgroup, processes);
    CHECK(name_in(ask_tcp(node.host, {"127.0.0.1", 54323}, {.source = Target{node_v4, 0}})) == "local");
    CHECK(name_in(ask_tcp(node.host, {node_v4, 54323}, {.source = Target{node_v4, 0}})) == "outside");
    CHECK(name_in(ask_udp(node.host, {node_v4, 54323}, {.source = Target{node_v4, 0}})) == "datagrams");
}

TEST_CASE("a mapping at 127.0.0.1 takes localAccess", "[port mappings]")
{
    Node node;
    ask_for_port_mappings(node);
    node.plugin["localAccess"] = false;
    Pod pod(node, {.port_mappings = Json::array({mapping(8080, 80, "tcp", "127.0.0.1")})});
    const Answer answer = pod.add();
    CHECK(answer.code() == 7);
    CHECK(answer.message().find("localAccess") != std::string::npos);
}
