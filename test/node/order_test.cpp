// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Next to other programs: behind us Cilium (its stand-in) keeps its habits and we keep ours; whoever comes before us is
// noticed, and comes behind us at the next gateway's ADD.
#include "support/cilium.hpp"
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

using namespace sallyport::test;

namespace {

const std::vector<Cilium::Port> gateway_ports{{9080, IPPROTO_TCP}, {9443, IPPROTO_UDP}};

/// A gateway on 80 and 443/udp, wired and guarded by Cilium.
struct CiliumGateway
{
    CiliumGateway(Node& node, Cilium& cilium, const std::string& name = "gateway")
        : pod(node, {.name = name, .expose = "80:9080, 443:9443/udp"})
    {
        cilium.connect(pod, gateway_ports);
        require_ok(pod.add());
        tcp.emplace(pod.netns, name, Target{"::", 9080});
        udp.emplace(pod.netns, name, Target{"::", 9443});
    }

    Pod pod;
    std::optional<TcpServer> tcp;
    std::optional<UdpServer> udp;
};

Cilium::Mode either_mode()
{
    return GENERATE(Cilium::Mode::tcx, Cilium::Mode::legacy, Cilium::Mode::late);
}

std::string echo(Connection& connection, const std::string& line)
{
    connection.send(line + "\n");
    return connection.read_line();
}

}  // namespace

TEST_CASE("behind Cilium's policy and source check, exposures work, with and without offload", "[order]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    Cilium cilium(node, either_mode());
    const CiliumGateway gateway(node, cilium);
    check_serves(node);
    for (const std::string& address : {node_v4, node_v6})
        CHECK(transfer_both_ways(node.client, {address, 80}, 5'000'000) == "");
    CHECK(cilium.drops("invalid source") == 0);
    CHECK(cilium.drops("policy denied") == 0);

    // Direct connections to the pod are Cilium's business alone.
    CHECK(ask_tcp(node.client, {gateway.pod.v4, 9080}) == "gateway " + client_v4);
    CHECK(ask_udp(node.client, {gateway.pod.v6, 9443}) == "gateway " + client_v6 + " 3");
}

TEST_CASE("Cilium's list of 0.3.1, and that of today of 1.0.0: a gateway's life from ADD to DEL", "[order]")
{
    Node node;
    node.network = "cilium";
    node.cni_version = GENERATE("0.3.1", "1.0.0");
    CAPTURE(node.cni_version);
    Cilium cilium(node, Cilium::Mode::tcx);
    Pod gateway(node, {.expose = "80:9080, 443:9443/udp"});
    cilium.connect(gateway, gateway_ports);
    const auto before = node.footprint();
    require_ok(gateway.add());
    CHECK(gateway.result.at("cniVersion") == node.cni_version);
    CHECK(gateway.result == gateway.primary_result);
    const TcpServer tcp(gateway.netns, "gateway", {"::", 9080});
    const UdpServer udp(gateway.netns, "gateway", {"::", 9443});
    check_serves(node);
    const bool today = node.cni_version == "1.0.0";
    CHECK(gateway.config("DEL").contains("prevResult") == today);
    if (today) {  // Cilium's own CHECK answers from then on, and so ours is asked
        require_ok(gateway.check());
        const Intruder intruder(node.host, "eth0", true);
        CHECK(gateway.check().code() == 5);
    }
    require_ok(gateway.del());
    require_ok(gateway.del());  // at the sandbox's removal, once more
    CHECK(node.footprint() == before);
}

TEST_CASE("the pod's policy sees the container port", "[order]")
{
    Node node;
    Cilium cilium(node, either_mode());
    Pod gateway(node, {.expose = "80:9080, 8080:9081"});
    cilium.connect(gateway, {{9080, IPPROTO_TCP}});
    TcpServer allowed(gateway.netns, "allowed", {"::", 9080});
    TcpServer forbidden(gateway.netns, "forbidden", {"::", 9081});
    require_ok(gateway.add());

    CHECK(ask_tcp(node.client, {node_v4, 80}) == "allowed " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 8080}, {.limit = impatience}) == "silence");
    CHECK(cilium.drops("policy denied") > 0);
}

TEST_CASE("of a remapped port, the pod's policy sees the port that the client asked for", "[order]")
{
    Node node;
    Cilium cilium(node, either_mode());
    Pod gateway(node, {.annotations = {{"sallyport.dev/remap", "80:9080, 443:9443/udp"}}});
    cilium.connect(gateway, {{80, IPPROTO_TCP}, {443, IPPROTO_UDP}});
    TcpServer tcp(gateway.netns, "gateway", {"::", 9080});
    UdpServer udp(gateway.netns, "gateway", {"::", 9443});
    require_ok(gateway.add());
    for (const auto& [address, own] : {std::pair(gateway.v4, client_v4), std::pair(gateway.v6, client_v6)}) {
        CHECK(ask_tcp(node.client, {address, 80}) == "gateway " + own);
        CHECK(ask_udp(node.client, {address, 443}) == "gateway " + own + " 3");
        CHECK(transfer_both_ways(node.client, {address, 80}, 2'000'000) == "");
        CHECK(ask_tcp(node.client, {address, 9080}, {.limit = impatience}) == "silence");
    }
}

TEST_CASE("ours are first, before Cilium's, and stay so over restarts of its agent", "[order]")
{
    Node node;
    const Cilium::Mode mode = either_mode();
    Cilium cilium(node, mode);
    CiliumGateway gateway(node, cilium);
    Connection open(node.client, {node_v4, 80});
    REQUIRE(echo(open, "echo") == "ready");

    const auto check_order = [&] {
        CHECK(chain_of(node.host, "eth0", true) == std::vector<std::string>{"node_ingress", "cil_from_netdev"});
        CHECK(chain_of(node.host, "eth0", false) == std::vector<std::string>{"node_egress", "cil_to_netdev"});
    };
    check_order();
    for (int i = 0; i < 5; i++) {
        cilium.restart();
        if (mode != Cilium::Mode::tcx)
            cilium.reattach();
        check_order();
        CHECK(echo(open, "still here") == "still here");
        check_serves(node);
    }
    node.cni_version = "1.1.0";
    gateway.pod.result["cniVersion"] = "1.1.0";
    require_ok(gateway.pod.check());
    require_ok(gateway.pod.del());
    CHECK(chain_of(node.host, "eth0", true) == std::vector<std::string>{"cil_from_netdev"});
    CHECK(chain_of(node.host, "eth0", false) == std::vector<std::string>{"cil_to_netdev"});
}

TEST_CASE("an agent finds nothing of ours at its cgroup, and takes nothing of ours away there", "[order]")
{
    LocalNode node;
    Cilium cilium(node, either_mode());
    const CiliumGateway gateway(node, cilium);
    const auto before = programs_below(node.cgroup.path());
    REQUIRE_FALSE(before.empty());
    cilium.restart();  // throws where a link of ours is at the root
    CHECK(programs_below(node.cgroup.path()) == before);
    check_serves(node);
}

TEST_CASE("auto serves the devices where Cilium's programs sit, and no others", "[order]")
{
    Node node;
    node.host.ip("link add eth1 type veth peer name eth1 netns " + node.client.name() +
                 "\naddr add 192.168.101.1/24 dev eth1\nlink set eth1 up\n");
    Cilium cilium(node, either_mode());
    const CiliumGateway gateway(node, cilium);
    CHECK(chain_of(node.host, "eth0", true).front() == "node_ingress");
    CHECK(chain_of(node.host, "eth1", true).empty());
}

TEST_CASE("whoever came before us is reported by CHECK, and comes behind us at the next gateway's ADD", "[order]")
{
    Node node;
    node.cni_version = "1.1.0";
    Cilium cilium(node, Cilium::Mode::tcx);
    CiliumGateway gateway(node, cilium);
    const bool ingress = GENERATE(true, false);
    const std::string side = ingress ? "ingress" : "egress";
    CAPTURE(side);
    Connection open(node.client, {node_v4, 80});
    REQUIRE(echo(open, "echo") == "ready");
    {
        const Intruder intruder(node.host, "eth0", ingress);
        const Answer check = gateway.pod.check();
        REQUIRE_FALSE(check.ok());
        CHECK(check.message().find(side + " of eth0") != std::string::npos);
        CHECK(check.message().find("intruder") != std::string::npos);
        CHECK(ask_tcp(node.client, {node_v4, 80}, {.limit = impatience}) != "gateway " + client_v4);

        Pod next(node, {.name = "next", .expose = "8000:9080"});
        cilium.connect(next, {});
        require_ok(next.add());
        CHECK(chain_of(node.host, "eth0", ingress) ==
              std::vector<std::string>{"node_" + side, "intruder", ingress ? "cil_from_netdev" : "cil_to_netdev"});
        require_ok(gateway.pod.check());
        require_ok(next.del());
        require_ok(gateway.pod.check());
    }
    check_serves(node);
    CHECK(echo(open, "still here") == "still here");
    require_ok(gateway.pod.del());
    CHECK(chain_of(node.host, "eth0", ingress).size() == 1);
    CHECK_FALSE(std::filesystem::exists(node.bpffs() / "sallyport"));
}

TEST_CASE("while the order is repaired, no connection meets a host without our program", "[order]")
{
    Node node;
    Cilium cilium(node, Cilium::Mode::tcx);
    const CiliumGateway gateway(node, cilium);
    std::atomic<bool> stop{false};
    std::vector<std::string> answers;
    std::thread client([&] {
        while (!stop)
            answers.push_back(ask_tcp(node.client, {node_v4, 80}));
    });
    for (int i = 0; i < 10; i++) {
        const Intruder in(node.host, "eth0", true, "observer");
        const Intruder out(node.host, "eth0", false, "observer");
        Pod next(node, {.name = "next", .expose = "8000:9080"});
        cilium.connect(next, {});
        require_ok(next.add());
        CHECK(chain_of(node.host, "eth0", true).front() == "node_ingress");
        CHECK(chain_of(node.host, "eth0", false).front() == "node_egress");
    }
    stop = true;
    client.join();
    REQUIRE_FALSE(answers.empty());
    for (const std::string& answer : answers)
        CHECK(answer == "gateway " + client_v4);
}
