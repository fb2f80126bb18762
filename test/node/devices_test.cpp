// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Outside devices of every kind that this kernel can make.
#include "support/chain.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"
#include "support/tun.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport::test;

namespace {

using Names = std::vector<std::string>;

const Names ours_in{"node_ingress"};
const Names ours_out{"node_egress"};

bool kernel_makes(const std::string& kind, const std::string& base = "")
{
    const Namespace scratch("scratch-for-" + kind);
    scratch.ip("link add base type veth peer name peer\n");
    return execute({.argv = {"sh", "-c", "ip link add " + base + " name probe type " + kind}, .netns = &scratch})
               .status == 0;
}

struct Ends
{
    std::string node;
    std::string client;
};

void check_serves_at(const Node& node, const Ends& ends)
{
    CAPTURE(ends.node);
    CHECK(ask_tcp(node.client, {ends.node, 80}) == "gateway " + ends.client);
    CHECK(ask_udp(node.client, {ends.node, 443}) == "gateway " + ends.client + " 3");
    CHECK(transfer_both_ways(node.client, {ends.node, 80}, 2'000'000) == "");
}

/// Moves the node's addresses and default routes from eth0 to `device`, which then stands for it.
void move_addresses(const Node& node, const std::string& device)
{
    node.host.ip("addr flush dev eth0\n"
                 "link set " +
                 device + " up\n" + "addr add " + node_v4 + "/24 dev " + device + "\n" + "addr add " + node_v6 +
                 "/64 dev " + device + " nodad\n" + "route replace 0.0.0.0/0 via " + client_v4 + "\n" +
                 "route replace ::/0 via " + client_v6 + "\n");
}

}  // namespace

TEST_CASE("a bridge with the outside device as its port", "[devices]")
{
    if (!kernel_makes("bridge"))
        SKIP("this kernel makes no bridges");
    Node node;
    node.set_offload(GENERATE(true, false));
    node.host.ip("link add br0 type bridge\nlink set eth0 master br0\n");
    move_addresses(node, "br0");
    const bool named = GENERATE(false, true);
    if (named)
        node.plugin["devices"] = {"eth*", "br*"};
    const ServingGateway gateway(node);
    CHECK(chain_of(node.host, "br0", true) == ours_in);
    CHECK(chain_of(node.host, "eth0", true) == Names{});
    check_serves_at(node, {node_v4, client_v4});
    check_serves_at(node, {node_v6, client_v6});
}

TEST_CASE("a bond over the outside device", "[devices]")
{
    if (!kernel_makes("bond"))
        SKIP("this kernel makes no bonds");
    Node node;
    node.set_offload(GENERATE(true, false));
    node.host.ip("link add bond0 type bond mode active-backup\nlink set eth0 down\nlink set eth0 master bond0\n");
    move_addresses(node, "bond0");
    const ServingGateway gateway(node);
    CHECK(chain_of(node.host, "bond0", true) == ours_in);
    CHECK(chain_of(node.host, "eth0", true) == Names{});
    check_serves_at(node, {node_v4, client_v4});
    check_serves_at(node, {node_v6, client_v6});
}

TEST_CASE("a VLAN, and the device beneath it, each with addresses of its own", "[devices]")
{
    if (!kernel_makes("vlan id 5", "link base"))
        SKIP("this kernel makes no VLANs");
    Node node;
    node.set_offload(GENERATE(true, false));
    for (const auto& [netns, last] : {std::pair(&node.host, "1"), std::pair(&node.client, "2")})
        netns->ip(std::string("link add link eth0 name eth0.5 type vlan id 5\n") + "addr add 192.168.105." + last +
                  "/24 dev eth0.5\naddr add fd00:105::" + last + "/64 dev eth0.5 nodad\nlink set eth0.5 up\n");
    const ServingGateway gateway(node);
    CHECK(chain_of(node.host, "eth0.5", true) == ours_in);
    CHECK(chain_of(node.host, "eth0", true) == ours_in);
    check_serves_at(node, {"192.168.105.1", "192.168.105.2"});
    check_serves_at(node, {"fd00:105::1", "fd00:105::2"});
    check_serves_at(node, {node_v4, client_v4});
    check_serves_at(node, {node_v6, client_v6});
}

TEST_CASE("a macvlan over the outside device", "[devices]")
{
    if (!kernel_makes("macvlan", "link base"))
        SKIP("this kernel makes no macvlans");
    Node node;
    node.set_offload(GENERATE(true, false));
    node.host.set_sysctl("net/ipv4/conf/all/arp_ignore", "1");  // else eth0 answers for the address of mac0
    node.host.ip("link add link eth0 name mac0 type macvlan mode bridge\n");
    move_addresses(node, "mac0");
    const ServingGateway gateway(node);
    CHECK(chain_of(node.host, "mac0", true) == ours_in);
    CHECK(chain_of(node.host, "eth0", true) == Names{});
    check_serves_at(node, {node_v4, client_v4});
    check_serves_at(node, {node_v6, client_v6});
}

TEST_CASE("a tun device, whose packets begin with the IP header, beside an Ethernet one", "[devices]")
{
    if (!Tunnel::possible())
        SKIP("no /dev/net/tun for a device without Ethernet header");
    Node node;
    node.set_offload(GENERATE(true, false));
    const Tunnel tunnel(node.host, node.client);
    for (const auto& [netns, last] : {std::pair(&node.host, "1"), std::pair(&node.client, "2")})
        netns->ip(std::string("addr add 192.168.50.") + last + "/24 dev tun0\naddr add fd00:50::" + last +
                  "/64 dev tun0 nodad\nlink set tun0 up\n");
    ServingGateway gateway(node);
    CHECK(chain_of(node.host, "tun0", true) == ours_in);
    CHECK(chain_of(node.host, "tun0", false) == ours_out);
    check_serves_at(node, {"192.168.50.1", "192.168.50.2"});
    check_serves_at(node, {"fd00:50::1", "fd00:50::2"});
    check_serves_at(node, {node_v4, client_v4});
    check_serves_at(node, {node_v6, client_v6});

    {
        const Intruder observer(node.host, "tun0", true, "observer");
        Pod next(node, {.name = "next", .expose = "8000:9080"});
        require_ok(next.add());
        CHECK(chain_of(node.host, "tun0", true) == Names{"node_ingress", "observer"});
        check_serves_at(node, {"192.168.50.1", "192.168.50.2"});
        require_ok(next.del());
    }
    require_ok(gateway.pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("jumbo frames, and segments larger than any frame", "[devices]")
{
    Node node;
    const bool offload = GENERATE(true, false);
    CAPTURE(offload);
    node.set_offload(offload);
    node.host.ip("link set eth0 mtu 9000\n");
    node.client.ip("link set eth0 mtu 9000\n");
    const ServingGateway gateway(node);
    node.host.ip("link set " + gateway.pod.primary_result.at("interfaces").at(0).at("name").get<std::string>() +
                 " mtu 9000\n");
    gateway.pod.netns.ip("link set eth0 mtu 9000\n");
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        CHECK(transfer_both_ways(node.client, {address, 80}, 30'000'000) == "");
        CHECK(ask_udp(node.client, {address, 443}, {}, pattern(8900)) == "gateway " + own + " 8900");
    }
}
