// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Node ports that others serve without a socket, by rules of the packet filter: a pod that wants one is refused, and
// told whose it is; one that comes later is found. Each writes its rules as the real one does.
#include "support/agent.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/tool.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <fstream>

using namespace sallyport::test;

namespace {

/// Who has node port 80, for a pod at 10.1.9.9:8080.
struct Rival
{
    std::string name;
    std::string rules;  ///< of `shell`: iptables-restore's language or nft's
    std::string shell;
    std::string refusal;  ///< what ADD says of it
};

const std::vector<Rival> rivals{
    {"portmap, iptables",
     R"(*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-5a1f - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: pods" -m multiport --dports 22,79:81,443 -j CNI-DN-5a1f
-A CNI-DN-5a1f -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.1.9.8:8443
-A CNI-DN-5a1f -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.9.9:8080
COMMIT
)",
     "iptables",
     "the portmap plugin (chain CNI-HOSTPORT-DNAT of table ip nat) serves 0.0.0.0:80/tcp, a hostPort, for the pod at "
     "10.1.9.9:8080/tcp"},
    {"portmap, nftables",
     R"(table ip cni_hostport {
    chain hostports { tcp dport 80 dnat to 10.1.9.9:8080 comment "x"; }
    chain hostports_all { jump hostports; }
    chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local jump hostports_all; }
})",
     "nft", "the portmap plugin (chain hostports of table ip cni_hostport)"},
    {"CRI-O, nftables",
     R"(table ip crio-hostports {
    map hostports { type inet_proto . inet_service : ipv4_addr . inet_service
                    elements = { udp . 80 : 10.1.9.7 . 53, tcp . 80 : 10.1.9.9 . 8080, tcp . 8081 : 10.1.9.8 . 1 } }
    map hostipports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
                      elements = { 192.0.2.99 . tcp . 80 : 10.1.9.6 . 1 } }
    chain hostports {
        dnat ip addr . port to ip daddr . meta l4proto . th dport map @hostipports
        dnat ip addr . port to meta l4proto . th dport map @hostports
    }
    chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local goto hostports; }
})",
     "nft",
     "CRI-O (chain hostports of table ip crio-hostports) serves 0.0.0.0:80/tcp, a hostPort, for the pod at "
     "10.1.9.9:8080/tcp"},
    {"CRI-O, one address",
     R"(table ip crio-hostports {
    map hostipports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
                      elements = { 192.168.100.1 . tcp . 80 : 10.1.9.9 . 8080 } }
    chain hostports { dnat ip addr . port to ip daddr . meta l4proto . th dport map @hostipports; }
    chain prerouting { type nat hook prerouting priority dstnat; fib daddr type local goto hostports; }
})",
     "nft", "serves 192.168.100.1:80/tcp, a hostPort, for the pod at 10.1.9.9:8080/tcp"},
    {"CRI-O, iptables",
     R"(*nat
:KUBE-HOSTPORTS - [0:0]
:KUBE-HP-IJHALPHT - [0:0]
-A PREROUTING -m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL -j KUBE-HOSTPORTS
-A KUBE-HOSTPORTS -p tcp -m comment --comment "web hostport 80" -m tcp --dport 80 -j KUBE-HP-IJHALPHT
-A KUBE-HP-IJHALPHT -p tcp -m comment --comment "web hostport 80" -m tcp -j DNAT --to-destination [fd00:10:1::9:9]:8080
COMMIT
)",
     "ip6tables",
     "CRI-O (chain KUBE-HOSTPORTS of table ip6 nat) serves [::]:80/tcp, a hostPort, for the pod at "
     "[fd00:10:1::9:9]:8080/tcp"},
    {"kube-proxy, nftables",
     R"(table ip kube-proxy {
    chain endpoint-one { meta l4proto tcp dnat to 10.1.9.8:8080; }
    chain endpoint-two { meta l4proto tcp dnat to 10.1.9.9:8080; }
    chain service-web { numgen random mod 2 vmap { 0 : goto endpoint-one, 1 : goto endpoint-two }; }
    chain service-api { meta l4proto tcp dnat to 192.168.100.1:6443; }
    map service-ips { type ipv4_addr . inet_proto . inet_service : verdict
                      elements = { 10.96.0.1 . tcp . 80 : goto service-api } }
    map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 80 : goto service-web } }
    chain services {
        ip daddr . meta l4proto . th dport vmap @service-ips
        ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @service-nodeports
    }
    chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
})",
     "nft",
     "kube-proxy (chain services of table ip kube-proxy) serves 0.0.0.0:80/tcp, a NodePort, for the pod at "
     "10.1.9."},
    {"kube-proxy, iptables",
     R"(*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-EXT-ABC - [0:0]
:KUBE-SVC-ABC - [0:0]
:KUBE-SEP-ONE - [0:0]
:KUBE-SEP-TWO - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SEP-ONE
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "web:http" -m tcp --dport 80 -j KUBE-EXT-ABC
-A KUBE-EXT-ABC -j KUBE-SVC-ABC
-A KUBE-SVC-ABC -m statistic --mode random --probability 0.5 -j KUBE-SEP-ONE
-A KUBE-SVC-ABC -j KUBE-SEP-TWO
-A KUBE-SEP-ONE -p tcp -m tcp -j DNAT --to-destination 10.1.9.8:8080
-A KUBE-SEP-TWO -p tcp -m tcp -j DNAT --to-destination 10.1.9.9:8080
COMMIT
)",
     "iptables", "kube-proxy (chain KUBE-NODEPORTS of table ip nat) serves 0.0.0.0:80/tcp, a NodePort"},
    {"podman",
     R"(table inet netavark {
    chain nv_one_dnat { ip daddr 192.168.100.1 tcp dport 80 dnat ip to 10.1.9.9:8080; }
    chain NETAVARK-HOSTPORT-DNAT { tcp dport 80 jump nv_one_dnat; }
    chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump NETAVARK-HOSTPORT-DNAT; }
})",
     "nft",
     "podman's netavark (chain NETAVARK-HOSTPORT-DNAT of table inet netavark) serves 192.168.100.1:80/tcp, a "
     "container's published port, for the container at 10.1.9.9:8080/tcp"},
    {"Docker",
     R"(*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.9.9:8080
COMMIT
)",
     "iptables", "Docker (chain DOCKER of table ip nat) serves 0.0.0.0:80/tcp"},
    {"a range that is redirected",
     R"(table inet mine { chain way { type nat hook prerouting priority dstnat; tcp dport 79-81 redirect to :8080; }
})",
     "nft", "chain way of table inet mine serves 0.0.0.0:80/tcp, by a rule, for the node's own port 8080"},
    {"a set of ranges",
     R"(table ip mine { chain way { type nat hook prerouting priority dstnat; tcp dport { 22, 70-90, 443 } dnat to 10.1.9.9:8080; }
})",
     "nft", "chain way of table ip mine serves 0.0.0.0:80/tcp, by a rule, for 10.1.9.9:8080/tcp"},
    {"all but one port",
     R"(*nat
-A PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp ! --dport 22 -j REDIRECT --to-ports 8080
COMMIT
)",
     "iptables", "chain PREROUTING of table ip nat serves 0.0.0.0:80/tcp, by a rule, for the node's own port 8080"},
    {"a transparent proxy",
     R"(table ip mine { chain way { type filter hook prerouting priority mangle; tcp dport 80 tproxy to :15001 meta mark set 1 accept; }
})",
     "nft", "chain way of table ip mine serves 0.0.0.0:80/tcp, by a rule, for the node's own port"},
};

/// Whether this node could load them.
bool load(const Node& node, const Rival& rival, const std::string& dialect)
{
    const auto file = node.directory() / "rules";
    std::ofstream(file) << rival.rules;
    const std::string command = rival.shell == "nft" ? "nft -f " : rival.shell + dialect + "-restore ";
    const Output output = shell(node, command + file.string());
    INFO(rival.name << ": " << output.err);
    if (dialect == "-legacy" && output.status != 0)
        return false;  // this kernel has no iptables-legacy
    REQUIRE(output.status == 0);
    return true;
}

}  // namespace

TEST_CASE("a node port that rules serve for others is refused, and the holder named", "[served-by-others]")
{
    const Rival rival = GENERATE(from_range(rivals));
    const std::string dialect = GENERATE("-nft", "-legacy");
    CAPTURE(rival.name, dialect);
    if (rival.shell == "nft" && dialect == "-legacy")
        return;
    Node node;
    if (!load(node, rival, dialect))
        SKIP("this kernel has no " << rival.shell << dialect);
    Pod gateway(node, {.expose = "80:9080, 443:9443/udp"});
    const std::vector<std::string> before = node.footprint();
    const Answer answer = gateway.add();
    INFO(answer.out << answer.err);
    REQUIRE(answer.code() == 101);
    std::string refusal = rival.refusal;
    if (const auto table = refusal.find(" nat"); dialect == "-legacy" && table != std::string::npos)
        refusal.insert(table + 4, " (iptables-legacy)");
    CHECK(answer.mentions(refusal));
    CHECK(node.footprint() == before);

    node.plugin["reservePorts"] = false;  // whoever says so takes it over
    require_ok(gateway.add());
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "gateway");
}

TEST_CASE("rules for other ports, addresses and protocols, and for the pod itself, are no obstacle",
          "[served-by-others]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080, 443:9443"});
    const Rival none{"nothing of ours",
                     R"(table ip mine {
    set strangers { type ipv4_addr; elements = { 198.51.100.7 } }
    map ports { type inet_proto . inet_service : ipv4_addr . inet_service
                elements = { udp . 80 : 10.1.9.9 . 1, tcp . 8080 : 10.1.9.9 . 1 } }
    chain unhooked { tcp dport 80 dnat to 10.1.9.9:8080; }
    chain way { type nat hook prerouting priority dstnat;
        tcp dport 8080-8090 dnat to 10.1.9.9:8080
        tcp dport != 80-443 redirect to :9
        ip daddr 10.96.0.1 tcp dport 443 dnat to 10.1.9.9:6443
        ip daddr 198.51.100.1 dnat to 10.1.9.9
        ip saddr @strangers dnat to 10.1.9.9
        fib daddr type != local tcp dport 80 dnat to 10.1.9.9:8080
        meta l4proto . th dport vmap { tcp . 22 : accept, udp . 443 : drop }
        dnat ip addr . port to meta l4proto . th dport map @ports
        tcp dport 80 dnat to )" +
                         gateway.v4 +
                         R"(:9080
    }
    chain back { type nat hook postrouting priority srcnat; tcp dport 80 masquerade; }
})",
                     "nft", ""};
    REQUIRE(load(node, none, ""));
    require_ok(gateway.add());
}

TEST_CASE("whoever takes a gateway's node port later is found, by the agent and the doctor", "[served-by-others]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    const Agent agent(node);
    agent.wait_until_begun();
    const auto finding = [&] {
        const Json report = Json::parse(node.tool({"doctor", "--json"}).out);
        for (const Json& each : report.at("findings"))
            if (each.at("check") == "port-served")
                return each.at("level").get<std::string>() + ": " + each.at("what").get<std::string>();
        return std::string();
    };
    CHECK(finding().empty());

    REQUIRE(load(node, rivals[2], ""));
    CHECK(agent.says("CRI-O (chain hostports of table ip crio-hostports) serves 0.0.0.0:80/tcp, a hostPort; it gets no "
                     "more of it"));
    CHECK(finding() ==
          "warning: CRI-O (chain hostports of table ip crio-hostports) serves 0.0.0.0:80/tcp (a hostPort), "
          "where a node port is: sallyport wins, silently");
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "gateway");

    REQUIRE(shell(node, "nft delete table ip crio-hostports").status == 0);
    CHECK(finding().empty());
}
