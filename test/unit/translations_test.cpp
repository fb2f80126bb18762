// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What rules send elsewhere before any routing, and whose they are. How rules are read is shown by the node tests.
#include "sallyport/frontend.hpp"
#include "sallyport/os/ipvs.hpp"
#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>

using namespace sallyport;

namespace {

using On = RuleCondition::On;
using Verdict = RuleVerdict;

RuleCondition to_port(std::uint16_t first, std::uint16_t last = 0)
{
    return {.on = On::port, .ports = {{first, last == 0 ? first : last}}};
}

RuleCondition to_prefix(const std::string& prefix)
{
    return {.on = On::destination, .prefix = *Prefix::parse(prefix)};
}

const RuleCondition to_the_node{.on = On::local};
const RuleCondition to_elsewhere{.on = On::local, .inverted = true};
const RuleCondition by_chance{};

FilterRule translates(std::vector<RuleCondition> conditions, const std::string& to = "10.0.0.3",
                      std::uint16_t port = 8080)
{
    return {.conditions = std::move(conditions), .verdict = Verdict::translate, .to = {Address::parse(to), port}};
}

FilterRule jumps(std::vector<RuleCondition> conditions, const std::string& target)
{
    return {.conditions = std::move(conditions), .verdict = Verdict::jump, .target = target};
}

FilterChain rules_chain(const std::string& name, std::vector<FilterRule> rules, const std::string& table = "nat")
{
    return {.family = FilterFamily::v4, .table = table, .name = name, .rules = std::move(rules)};
}

FilterChain prerouting(std::vector<FilterRule> rules)
{
    FilterChain chain = rules_chain("PREROUTING", std::move(rules));
    chain.base = FilterBase{FilterHook::prerouting};
    return chain;
}

/// "chain@address>to,to", one for each; of port 80 over TCP.
std::string served(const std::vector<FilterChain>& chains)
{
    std::string text;
    const auto is_ours = [](const Address& address) { return address == *Address::parse("192.0.2.7"); };
    for (const Translation& translation : find_translations(chains, {.local = true, .port = 80}, is_ours)) {
        text += (text.empty() ? "" : " ") + translation.chain.name;
        text += translation.at ? "@" + translation.at->to_string() : "";
        char separator = '>';
        for (const Destination& to : translation.to) {
            text += separator + (to.address ? to.address->to_string() : "node") + ":" + std::to_string(to.port);
            separator = ',';
        }
    }
    return text;
}

}  // namespace

TEST_CASE("a rule that names the port sends its packets elsewhere", "[translations]")
{
    CHECK(served({prerouting({translates({to_port(80)})})}) == "PREROUTING>10.0.0.3:8080");
    CHECK(served({prerouting({translates({to_port(70, 90)})})}) == "PREROUTING>10.0.0.3:8080");
    CHECK(served({prerouting({translates({to_the_node, by_chance, to_port(80)})})}) == "PREROUTING>10.0.0.3:8080");
    CHECK(served({prerouting({translates({to_port(80), to_prefix("192.0.2.7")})})}) ==
          "PREROUTING@192.0.2.7>10.0.0.3:8080");
    CHECK(served({prerouting({translates({to_port(80), to_prefix("192.0.2.0/24")})})}) == "PREROUTING>10.0.0.3:8080");
    CHECK(served({prerouting({{.conditions = {to_port(80)}, .verdict = Verdict::translate}})}) == "PREROUTING>node:0");
    CHECK(served({prerouting({translates({to_port(80), to_prefix("10.96.0.1")})})}).empty());
    CHECK(served({prerouting({translates({to_port(81)})})}).empty());
    CHECK(served({prerouting({translates({to_elsewhere, to_port(80)})})}).empty());
    CHECK(served({prerouting({translates({{.on = On::protocol, .protocol = 17}, to_port(80)})})}).empty());
    FilterChain hooked_elsewhere = prerouting({translates({to_port(80)})});
    hooked_elsewhere.base->hook = FilterHook::output;
    CHECK(served({hooked_elsewhere}).empty());
}

TEST_CASE("a rule that names no port counts where every such packet meets it", "[translations]")
{
    CHECK(served({prerouting({translates({to_the_node})})}) == "PREROUTING>10.0.0.3:8080");
    CHECK(served({prerouting({translates({by_chance})})}).empty());
    CHECK(served({prerouting({translates({to_prefix("192.0.2.7")})})}).empty());
    CHECK(served({prerouting({{.verdict = Verdict::accept}, translates({to_port(80)})})}).empty());
}

TEST_CASE("it is followed through chains, and the one that names the port is its place", "[translations]")
{
    const std::vector<FilterChain> chains{
        prerouting({jumps({to_the_node}, "NODEPORTS")}),
        rules_chain("NODEPORTS", {jumps({to_port(80)}, "SVC"), jumps({to_port(81)}, "X")}),
        rules_chain("SVC", {jumps({by_chance}, "ONE"), jumps({}, "TWO")}),
        rules_chain("ONE", {translates({})}),
        rules_chain("TWO", {translates({}, "10.0.0.4"), translates({}, "10.0.0.5")}),
        rules_chain("X", {translates({}, "10.0.0.6")})};
    CHECK(served(chains) == "NODEPORTS>10.0.0.3:8080,10.0.0.4:8080");
    const FilterChain loop = rules_chain("LOOP", {jumps({}, "LOOP"), translates({to_port(80)})});
    CHECK(served({prerouting({jumps({}, "LOOP")}), loop}) == "LOOP>10.0.0.3:8080");
}

TEST_CASE("who wrote the rules is known by their names", "[translations]")
{
    const NodePort at{Address::any_v4(), HostPort{80}, Protocol::tcp};
    const auto of = [&](const std::string& name) {
        const auto frontends =
            frontends_of({prerouting({jumps({}, name)}), rules_chain(name, {translates({to_port(80)})})}, {at}, {});
        REQUIRE(frontends.size() == 1);
        CHECK(frontends[0].backends == std::vector{Backend{*Address::parse("10.0.0.3"), PodPort{8080}, Protocol::tcp}});
        return frontends[0].to_string();
    };
    CHECK(of("CNI-HOSTPORT-DNAT") ==
          "the portmap plugin (chain CNI-HOSTPORT-DNAT of table ip nat) serves 0.0.0.0:80/tcp, a hostPort");
    CHECK(of("KUBE-HOSTPORTS") == "CRI-O (chain KUBE-HOSTPORTS of table ip nat) serves 0.0.0.0:80/tcp, a hostPort");
    CHECK(of("KUBE-NODEPORTS") ==
          "kube-proxy (chain KUBE-NODEPORTS of table ip nat) serves 0.0.0.0:80/tcp, a NodePort");
    CHECK(of("mine") == "chain mine of table ip nat serves 0.0.0.0:80/tcp, by a rule");
}

TEST_CASE("what IPVS serves", "[ipvs]")
{
    const test::TemporaryDirectory directory;
    const auto list = directory.path() / "ip_vs";
    std::ofstream(list) << R"(IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A86401:0050 rr 
  -> 0A010909:1F90      Masq    1      0          0         
  -> 0A010908:1F90      Masq    1      3          1         
UDP  0A60000A:0035 rr persistent 10800
FWM  00000007 wlc
  -> 0A010907:1F90      Masq    1      0          0         
TCP  [fd00:0100:0000:0000:0000:0000:0000:0001]:01BB rr
  -> [fd00:0010:0001:0000:0000:0000:0009:0009]:20FB      Masq    1      0          0
SCTP C0A86401:0051 rr
  -> 0A010909:1F91      Masq    1      0          0
)";
    std::string text;
    for (const Frontend& frontend : read_ipvs(list)) {
        text += frontend.to_string() + ":";
        for (const Backend& backend : frontend.backends)
            text += " " + backend.to_string();
        text += "\n";
    }
    CHECK(text == "IPVS serves 192.168.100.1:80/tcp, a Service: 10.1.9.9:8080/tcp 10.1.9.8:8080/tcp\n"
                  "IPVS serves 10.96.0.10:53/udp, a Service:\n"
                  "IPVS serves [fd00:100::1]:443/tcp, a Service: [fd00:10:1::9:9]:8443/tcp\n");
    CHECK(read_ipvs(directory.path() / "none").empty());
}
