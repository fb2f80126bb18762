// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What Cilium serves already isn't taken over: a pod that wants such a port is refused, and told whose it is.
#include "support/cilium_services.hpp"
#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport::test;

namespace {}  // namespace

TEST_CASE("a hostPort, NodePort or LoadBalancer's port that Cilium serves for another pod is refused",
          "[cilium-services]")
{
    Node node;
    node.plugin["addresses"] = {"192.0.2.0/28", "2001:db8::/64"};
    struct Case
    {
        CiliumService service;
        std::string what;
    };
    const std::vector<Target> v4{{"10.1.9.9", 8080}};
    const std::vector<Target> v6{{"fd00:10:1::9:9", 8080}};
    const auto& [service, what] =
        GENERATE_COPY(Case{{{node_v4, 443}, cilium_host_port, v4}, "a hostPort, for the pod at 10.1.9.9:8080"},
                      Case{{{"0.0.0.0", 443}, cilium_host_port, v4}, "0.0.0.0:443/tcp, a hostPort"},
                      Case{{{"127.0.0.1", 443}, cilium_host_port, v4}, "127.0.0.1:443/tcp, a hostPort"},
                      Case{{{node_v6, 443}, cilium_host_port, v6}, "the pod at [fd00:10:1::9:9]:8080"},
                      Case{{{node_v4, 443}, cilium_node_port, v4}, "a NodePort"},
                      Case{{{"192.0.2.5", 443}, cilium_load_balancer, v4}, "\"!192.0.2.5\" in `addresses`"},
                      Case{{{node_v4, 443}, cilium_external_ip, v4}, "an external IP"},
                      Case{{{node_v4, 443}, cilium_host_port, v4, 0}, "a hostPort"});
    CAPTURE(what);
    const CiliumServices cilium(node.bpffs(), {service});
    Pod gateway(node, {.expose = "80:9080, 443:9443"});
    const std::vector<std::string> before = node.footprint();
    const Answer answer = gateway.add();
    INFO(answer.out << answer.err);
    REQUIRE(answer.code() == 101);
    CHECK(answer.mentions(what));
    CHECK(node.footprint() == before);

    node.plugin["reservePorts"] = false;  // whoever says so takes it over
    require_ok(gateway.add());
}

TEST_CASE("what Cilium serves elsewhere, for nobody or for the pod itself is no obstacle", "[cilium-services]")
{
    Node node;
    node.plugin["addresses"] = {"192.0.2.7"};
    Pod gateway(node, {.expose = "443:9443"});
    const std::vector<Target> other{{"10.1.9.9", 8080}};
    const CiliumServices cilium(
        node.bpffs(),
        {
            {{"10.96.0.1", 443}, 0, {{node_v4, 6443}}},                                    // the API server's ClusterIP
            {{node_v4, 80}, cilium_host_port, other},                                      // another port
            {{node_v4, 443}, cilium_host_port, other, IPPROTO_UDP},                        // another protocol
            {{node_v4, 443}, cilium_host_port, {{gateway.v4, 9443}, {"10.1.9.9", 8080}}},  // its own hostPort
            {{node_v6, 443}, cilium_node_port, {}},  // a Service without pods here,
            {{node_v6, 443}, cilium_node_port, {{"fd00:10:1::9:9", 1}}, IPPROTO_TCP, 1},  // though there are some
                                                                                          // elsewhere
            {{"192.0.2.7", 443}, cilium_load_balancer, {{"10.1.9.9", 8080}}},  // the VIP that `addresses` names
            {{"192.0.2.7", 0}, cilium_load_balancer, {}},                      // and its other ports
        });
    require_ok(gateway.add());
}

TEST_CASE("a Service of gateway pods is no obstacle to the next one of their namespace", "[cilium-services]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = "443:9443"});
    require_ok(older.add());
    const CiliumServices cilium(node.bpffs(),
                                {{{node_v4, 443}, cilium_node_port, {{older.v4, 9443}, {"10.9.9.9", 9443}}}});
    Pod younger(node, {.name = "younger", .expose = "443:9443"});
    require_ok(younger.add());
}

TEST_CASE("the container runtime knows whose pod has the port", "[cilium-services]")
{
    Node node;
    Pod gateway(node, {.expose = "443:9443"});
    const std::string pod_namespace = GENERATE("gateways", "others");
    const CriPod holder{.id = "container-of-web",
                        .kubernetes_namespace = pod_namespace,
                        .name = "web",
                        .addresses = {"10.1.9.9", "fd00:10:1::9:9"}};
    const CriServer runtime([&](const std::string& method, const std::string&) {
        return CriAnswer{.message = method == "ListPodSandbox" ? list_response({holder}) : status_response(holder)};
    });
    std::filesystem::create_directories("/run/containerd");
    std::filesystem::create_symlink(runtime.socket(), "/run/containerd/containerd.sock");
    const CiliumServices cilium(node.bpffs(), {{{node_v4, 443}, cilium_host_port, {{"10.1.9.9", 8080}}}});
    const Answer answer = gateway.add();
    std::filesystem::remove("/run/containerd/containerd.sock");
    INFO(answer.out << answer.err);
    if (pod_namespace == "gateways") {
        CHECK(answer.ok());  // namespaces share their ports
    } else {
        CHECK(answer.code() == 101);
        CHECK(answer.mentions("for others/web (10.1.9.9:8080/tcp)"));
    }
}
