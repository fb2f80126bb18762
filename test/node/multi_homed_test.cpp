// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `fastPath` on a node with two outside devices: requests come in by one, and the way back is by the other, or is told
// by a rule for the node's own address.
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/subprocess.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport::test;

namespace {

const std::string second_v4 = "192.168.101.2";  // the client's, at the second device
const std::string second_v6 = "fd00:101::2";
const std::string away_v4 = "203.0.113.9";  // of a client behind that one
const std::string away_v6 = "fd00:113::9";

/// Requests of the client that is away come in by eth0, and the node's only default route is by eth1.
///
///   client  -- eth0 -- 192.168.100.1   host
///           -- eth1 -- 192.168.101.1
struct MultiHomed : Node
{
    explicit MultiHomed(bool fast)
    {
        plugin["fastPath"] = fast;
        host.ip("link add eth1 type veth peer name eth1 netns " + client.name() +
                "\n"
                "addr add 192.168.101.1/24 dev eth1\naddr add fd00:101::1/64 dev eth1 nodad\nlink set eth1 up\n");
        client.ip("addr add " + second_v4 + "/24 dev eth1\naddr add " + second_v6 +
                  "/64 dev eth1 nodad\n"
                  "link set eth1 up\naddr add " +
                  away_v4 + "/32 dev lo\naddr add " + away_v6 + "/128 dev lo nodad\n");
        wait_for_address(client, away_v6);
        for (const Namespace* netns : {&host, &client})
            for (const char* device : {"all", "eth0", "eth1"})
                netns->set_sysctl("net/ipv4/conf/" + std::string(device) + "/rp_filter", "0");
        // As a router in front of it: at eth0 nobody answers for an address that isn't there, nor asks in its name.
        client.set_sysctl("net/ipv4/conf/all/arp_ignore", "1");
        client.set_sysctl("net/ipv4/conf/all/arp_announce", "2");
        client.set_offload("eth1", offload());
        host.ip("route replace 0.0.0.0/0 via " + second_v4 + "\nroute replace ::/0 via " + second_v6 + "\n");
    }

    void rule(const std::vector<std::string>& words) const
    {
        for (const char* family : {"-4", "-6"}) {
            std::vector<std::string> command{"ip", family, "rule", "add"};
            for (const std::string& word : words)
                command.push_back(word != "<node>" ? word : family == std::string("-4") ? node_v4 : node_v6);
            const Output output = execute({.argv = command, .netns = &host});
            INFO(output.err);
            REQUIRE(output.status == 0);
        }
    }

    /// The host's stack forwards nothing that comes from this pod.
    void close_stack_to(const Pod& pod) const
    {
        rule({"iif", pod.primary_result.at("interfaces").at(0).at("name"), "prohibit"});
    }
};

struct Way
{
    std::string node;
    std::string client;
};

const std::vector<Way> ways{{node_v4, away_v4}, {node_v6, away_v6}};

void check_serves_away(const Node& node)
{
    for (const auto& [address, own] : ways) {
        CAPTURE(address);
        const DialOptions from_away{.source = Target{own, 0}};
        CHECK(ask_tcp(node.client, {address, 80}, from_away) == "gateway " + own);
        CHECK(ask_udp(node.client, {address, 443}, from_away) == "gateway " + own + " 3");
    }
}

}  // namespace

TEST_CASE("replies leave by the route to the client, and not by where its requests came in", "[fast_path][multi_homed]")
{
    MultiHomed node(GENERATE(false, true));
    node.set_offload(GENERATE(true, false));
    CAPTURE(node.plugin["fastPath"], node.offload());
    const ServingGateway gateway(node);
    check_serves_away(node);
    for (const auto& [address, own] : ways) {
        Connection download(node.client, {address, 80}, {.source = Target{own, 0}});
        download.send("give 3000000\n");
        CHECK(download.read_all().size() == 3'000'000);
    }
    check_serves(node);
}

TEST_CASE("on the fast path, what goes back where it came from is asked of no stack, on a node with two devices",
          "[fast_path][multi_homed]")
{
    MultiHomed node(true);
    const ServingGateway gateway(node);
    node.close_stack_to(gateway.pod);
    check_serves(node);
    for (const auto& [address, own] : ways)  // the stack is closed indeed
        CHECK(ask_tcp(node.client, {address, 80}, {.source = Target{own, 0}, .limit = impatience}) != "gateway " + own);
}

TEST_CASE("on the fast path, a rule for the node's address says where its replies leave", "[fast_path][multi_homed]")
{
    MultiHomed node(true);
    node.host.ip("route add 0.0.0.0/0 via " + client_v4 + " dev eth0 table 100\nroute add ::/0 via " + client_v6 +
                 " dev eth0 table 100\n");
    node.rule({"from", "<node>", "lookup", "100"});
    const ServingGateway gateway(node);
    node.close_stack_to(gateway.pod);
    check_serves_away(node);
    check_serves(node);
}
