// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the doctor makes of the node's addresses, and of what Cilium serves on them.
#include "sallyport/doctor.hpp"
#include "support/findings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

HeldAddress held(const std::string& device, const char* address, bool outside, bool on_link = false)
{
    return {.local = {*Address::parse(address), 1, true, on_link, true}, .device = device, .outside = outside};
}

/// eth0 with 192.0.2.7/24, answered.
NetworkFacts facts_of_node()
{
    NetworkFacts network;
    network.devices.emplace_back().name = "eth0";
    network.addresses = {held("eth0", "192.0.2.7", true, true)};
    network.answered.own = {*Address::parse("192.0.2.7")};
    return network;
}

std::string what_of(const std::vector<Finding>& findings, const std::string& check)
{
    const Finding* finding = find_check(findings, check);
    return finding == nullptr ? "-" : finding->what;
}

NodeReport report_of(const char* address, std::uint16_t port)
{
    NodeReport report;
    report.node_ports.emplace_back().node_port = {*Address::parse(address), HostPort{port}, Protocol::tcp, Scope::node};
    report.answered = {.own = {*Address::parse("192.0.2.7")}, .configured = {*Prefix::parse("198.51.100.0/28")}};
    return report;
}

}  // namespace

TEST_CASE("an ordinary node's addresses give nothing to say", "[doctor]")
{
    CHECK(check_addresses(facts_of_node()).empty());
}

TEST_CASE("addresses that aren't answered are named by their device, and pods' host ends aren't", "[doctor]")
{
    NetworkFacts network = facts_of_node();
    for (const char* const service : {"10.96.0.1", "10.96.0.10", "10.96.0.11", "10.96.0.12", "10.96.0.13"})
        network.addresses.push_back(held("kube-ipvs0", service, false));
    network.addresses.push_back(held("lxc7", "10.1.0.1", false));
    network.addresses.back().of_pod = true;
    const auto findings = check_addresses(network);
    CHECK(level_of(findings, "other-addresses") == "note");
    CHECK(what_of(findings, "other-addresses").find("10.96.0.1, 10.96.0.10, 10.96.0.11 and 2 more on kube-ipvs0,") !=
          std::string::npos);
    CHECK(what_of(findings, "other-addresses").find("lxc7") == std::string::npos);
    network.answered.excluded = {*Prefix::parse("10.96.0.0/12")};  // somebody has thought of it
    CHECK(level_of(check_addresses(network), "other-addresses") == "-");
}

TEST_CASE("a prefix of `addresses` that holds what a proxy keeps", "[doctor]")
{
    NetworkFacts network = facts_of_node();
    network.addresses.push_back(held("kube-ipvs0", "10.96.0.1", false));
    network.answered.configured = {*Prefix::parse("10.96.0.0/24")};
    CHECK(level_of(check_addresses(network), "caught") == "warning");
    network.answered.excluded = {*Prefix::parse("10.96.0.1")};
    CHECK(level_of(check_addresses(network), "caught") == "-");
    network.answered = {.own = {*Address::parse("192.0.2.7")}, .configured = {*Prefix::parse("10.96.0.1")}};
    CHECK(level_of(check_addresses(network), "caught") == "-");  // named by itself
}

TEST_CASE("what looks like a VIP on an outside device", "[doctor]")
{
    NetworkFacts network = facts_of_node();
    network.addresses.push_back(held("eth0", "192.0.2.50", true));
    network.answered.own.push_back(*Address::parse("192.0.2.50"));
    CHECK(level_of(check_addresses(network), "vip") == "note");
    CHECK(what_of(check_addresses(network), "vip").find("192.0.2.50 on eth0") != std::string::npos);
    SECTION("taken away")
    {
        network.answered.excluded = {*Prefix::parse("192.0.2.50")};
        CHECK(level_of(check_addresses(network), "vip") == "-");
    }
    SECTION("named")
    {
        network.answered.configured = {*Prefix::parse("192.0.2.50")};
        CHECK(level_of(check_addresses(network), "vip") == "-");
    }
    SECTION("from DHCP")
    {
        network.addresses.back().local.permanent = false;
        CHECK(level_of(check_addresses(network), "vip") == "-");
    }
    SECTION("the only one, as clouds give it")
    {
        network.addresses.erase(network.addresses.begin());
        CHECK(level_of(check_addresses(network), "vip") == "-");
    }
}

TEST_CASE("a node that answers on no address", "[doctor]")
{
    NetworkFacts network = facts_of_node();
    network.answered.excluded = {*Prefix::parse("0.0.0.0/0")};
    CHECK(level_of(check_addresses(network), "own-addresses") == "warning");
    network.answered.configured = {*Prefix::parse("198.51.100.7")};
    CHECK(level_of(check_addresses(network), "own-addresses") == "-");
}

TEST_CASE("a node port whose hostIP isn't answered any more", "[doctor]")
{
    DatapathFacts facts;
    for (const auto& [address, expected] : {std::pair("10.9.9.9", "failure"),
                                            {"198.51.100.16", "failure"},
                                            {"192.0.2.7", "-"},
                                            {"198.51.100.3", "-"},
                                            {"127.0.0.1", "-"},
                                            {"::", "-"}}) {
        CAPTURE(address);
        facts.report = report_of(address, 80);
        CHECK(level_of(check_datapath(facts), "host-ip") == expected);
    }
}

TEST_CASE("only what Cilium serves on an answered address is warned about", "[doctor]")
{
    NetworkFacts network;
    network.cilium = true;
    const auto serves = [&](const char* address, std::uint16_t port, Frontend::Kind kind) {
        network.frontends = {{.at = {*Address::parse(address), HostPort{port}, Protocol::tcp}, .kind = kind}};
        return check_ports(report_of("0.0.0.0", 443), network);
    };
    CHECK(level_of(serves("10.96.0.1", 443, Frontend::Kind::service), "cilium-service") == "-");
    CHECK(level_of(serves("198.51.100.16", 443, Frontend::Kind::load_balancer), "cilium-service") == "-");
    CHECK(level_of(serves("192.0.2.7", 80, Frontend::Kind::host_port), "cilium-service") == "-");
    CHECK(level_of(serves("192.0.2.7", 443, Frontend::Kind::host_port), "cilium-service") == "warning");
    CHECK(what_of(serves("192.0.2.7", 443, Frontend::Kind::host_port), "cilium-service")
              .find("192.0.2.7:443/tcp (a hostPort), where a node port is: on this node sallyport wins") !=
          std::string::npos);
    CHECK(level_of(serves("0.0.0.0", 443, Frontend::Kind::node_port), "cilium-service") == "warning");
    CHECK(level_of(serves("198.51.100.3", 0, Frontend::Kind::load_balancer), "cilium-service") == "-");
    CHECK(level_of(serves("198.51.100.3", 0, Frontend::Kind::load_balancer), "cilium-address") == "warning");
    CHECK(level_of(serves("198.51.100.16", 0, Frontend::Kind::load_balancer), "cilium-address") == "-");
    network.xdp = {"eth0 (cil_xdp_entry)"};
    CHECK(what_of(serves("192.0.2.7", 443, Frontend::Kind::host_port), "cilium-service")
              .find("from outside Cilium wins") != std::string::npos);
    CHECK(what_of(serves("198.51.100.3", 0, Frontend::Kind::load_balancer), "cilium-address")
              .find("all ports of it: from outside Cilium wins") != std::string::npos);
}
