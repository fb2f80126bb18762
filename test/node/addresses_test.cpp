// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which addresses are the node's: those by which the outside reaches it. What others keep on this node stays theirs,
// for clients outside, for the node's processes and for its pods.
#include "support/agent.hpp"
#include "support/local_node.hpp"
#include "support/quiet_device.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

/// What somebody gets who asks for that port there; a pod by the wire, if no hook takes it.
std::string asked(const Namespace& from, const std::string& address, std::uint16_t port = 443)
{
    return name_in(ask_tcp(from, {address, port}, {.limit = 2s}));
}

std::vector<std::string> listed(const Node& node, const char* key)
{
    return node.status().at(key).get<std::vector<std::string>>();
}

bool has(const std::vector<std::string>& texts, const std::string& text)
{
    return std::count(texts.begin(), texts.end(), text) == 1;
}

}  // namespace

TEST_CASE("a proxy's addresses stay the proxy's: kube-ipvs0 and its like", "[addresses]")
{
    const auto& [name, address, length] = GENERATE(table<std::string, std::string, std::string>({
        {"kube-ipvs0", "10.96.0.1", "/32"},     // kube-proxy: the API server's Service
        {"kube-dummy-if", "10.97.0.1", "/32"},  // kube-router
        {"nodelocaldns", "169.254.20.10", "/32"},
        {"pod-id-link0", "169.254.170.23", "/32"},  // EKS
        {"pod-id-link0", "fd00:ec2::23", "/128"},
        {"cilium_host", "10.98.0.1", "/32"},
    }));
    CAPTURE(name);
    LocalNode node;
    add_quiet_device(node.host, name, {address + length});
    const TcpServer theirs(node.host, "theirs", {address, 443});
    LocalGateway gateway(node, "gateway", "443:9080");
    gateway.listen();
    Pod other(node, {.name = "other"});
    require_ok(gateway.pod.add());  // though a process listens there
    CHECK_FALSE(has(listed(node, "addresses"), address + length));
    if (address.starts_with("10."))
        CHECK(asked(node.client, address) == "theirs");
    const Stay stay(node.cgroup, processes);
    CHECK(asked(node.host, address) == "theirs");
    CHECK(asked(other.netns, address) == "theirs");
    CHECK(asked(node.host, node_v4) == "gateway");
    CHECK(asked(other.netns, node_v4) == "gateway");
}

TEST_CASE("pods' host ends have a gateway's address, and it isn't the node's", "[addresses]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "443:9080");
    gateway.listen();
    Pod other(node, {.name = "other"});
    require_ok(gateway.pod.add());
    const Stay stay(node.cgroup, processes);
    CHECK(asked(node.client, "10.1.0.1") == "refused");
    CHECK(asked(node.host, "10.1.0.1") == "refused");
    CHECK(asked(other.netns, "fd00:10:1::1") == "refused");
}

TEST_CASE("link-local addresses aren't answered: what comes from there reaches no pod", "[addresses]")
{
    Node node;
    node.host.ip("addr add 169.254.7.7/16 dev eth0\n");
    node.client.ip("addr add 169.254.7.8/16 dev eth0\n");
    Pod gateway(node, {.expose = "443:9080"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    CHECK(asked(node.client, "169.254.7.7") == "refused");
    CHECK(asked(node.client, node_v4) == "gateway");
    for (const std::string& address : listed(node, "addresses"))
        CHECK_FALSE((address.starts_with("fe80:") || address.starts_with("169.254.")));
}

TEST_CASE("the source that a default route names is the node's, also on its loopback device", "[addresses]")
{
    Node node;
    node.host.ip("addr add " + virtual_v4 +
                 "/32 dev lo\naddr add 10.77.0.1/32 dev lo\n"
                 "route replace 0.0.0.0/0 via " +
                 client_v4 + " src " + virtual_v4 + "\n");
    Pod gateway(node, {.expose = "443:9080"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    CHECK(asked(node.client, virtual_v4) == "gateway");
    CHECK(asked(node.client, "10.77.0.1") == "refused");
}

TEST_CASE("another team's VIP on eth0 is taken away by a `!`, and stays so", "[addresses]")
{
    LocalNode node;
    const std::string vip = "192.168.100.50";
    node.plugin["addresses"] = {"!" + vip, "192.0.2.0/28", "!192.0.2.9"};
    node.host.ip("addr add " + vip + "/32 dev eth0\n");
    const TcpServer theirs(node.host, "theirs", {vip, 443});
    LocalGateway gateway(node, "gateway", "443:9080");
    gateway.listen();
    require_ok(gateway.pod.add());
    const auto check = [&] {
        CHECK(asked(node.client, vip) == "theirs");
        CHECK(asked(node.client, node_v4) == "gateway");
        CHECK(asked(node.client, "192.0.2.8") == "gateway");
        CHECK(asked(node.client, "192.0.2.9") != "gateway");
        CHECK_FALSE(has(listed(node, "addresses"), vip + "/32"));
        CHECK(listed(node, "excludedAddresses") == std::vector<std::string>{"192.0.2.9/32", vip + "/32"});
    };
    check();
    SECTION("for the node's processes")
    {
        const Stay stay(node.cgroup, processes);
        CHECK(asked(node.host, vip) == "theirs");
        bound_socket(node.host, {vip, 443}, SOCK_DGRAM);
        CHECK(asked(node.host, node_v4) == "gateway");
    }
    SECTION("when a pod goes, whose DEL knows no more than its own entry")
    {
        Pod next(node, {.name = "next", .expose = "80:9080"});
        require_ok(next.add());
        node.host.ip("addr add " + virtual_v4 + "/32 dev eth0\n");
        node.plugin.erase("addresses");
        require_ok(next.del());
        check();
        CHECK(has(listed(node, "addresses"), virtual_v4 + "/32"));
    }
    SECTION("when the agent follows it from node to node")
    {
        const Agent agent(node);
        agent.wait_until_begun();
        node.host.ip("addr del " + vip + "/32 dev eth0\naddr add " + vip + "/32 dev eth0\naddr add " + virtual_v4 +
                     "/32 dev eth0\n");
        CHECK(eventually([&] { return asked(node.client, virtual_v4) == "gateway"; }));
        check();
        INFO(agent.log());
    }
}

TEST_CASE("none of the node's own addresses, only a VIP", "[addresses]")
{
    Node node;
    node.plugin["addresses"] = {"!0.0.0.0/0", "!::/0", virtual_v4};
    Pod gateway(node, {.expose = "443:9080"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    CHECK(asked(node.client, virtual_v4) == "gateway");
    CHECK(asked(node.client, node_v4) == "refused");
    CHECK(asked(node.client, node_v6) == "refused");
    const Output status = node.tool({"status"});
    CHECK(status.out.find("addresses  " + virtual_v4 + "; not ::/0, 0.0.0.0/0") != std::string::npos);
}

TEST_CASE("a hostIP must be an address that is answered", "[addresses]")
{
    Node node;
    node.host.ip("addr add 10.77.0.1/32 dev lo\n");
    Pod gateway(node, {.expose = "10.77.0.1:443:9080"});
    const Answer answer = gateway.add();
    CHECK(answer.code() == 102);
    CHECK(answer.message().find("outside devices") != std::string::npos);
    node.plugin["addresses"] = {"10.77.0.1"};
    require_ok(gateway.add());
}
