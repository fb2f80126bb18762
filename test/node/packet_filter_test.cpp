// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Node ports behind the node's packet filter: what FORWARD and INPUT do to them, in every dialect that the kernel
// knows, and whether `doctor` sees it and names what cures it. The rules have the shape of those that Oracle's Ubuntu
// images come with: INPUT and FORWARD end in REJECT.
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/tool.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <utility>

using namespace sallyport::test;

namespace {

/// One IP version in one dialect of iptables.
struct Dialect
{
    std::string command;
    std::string reject;  ///< how it says "prohibited"
    std::string icmp;
    std::string chain;    ///< FORWARD, as the doctor calls it
    std::string node;     ///< the node's address
    std::string refusal;  ///< what the client hears
    std::string loopback;
};

Dialect dialect(bool v4, bool legacy)
{
    const std::string suffix = legacy ? "-legacy" : "-nft";
    const std::string of_legacy = legacy ? " (iptables-legacy)" : "";
    if (v4)
        return {"iptables" + suffix,
                "icmp-host-prohibited",
                "icmp",
                "chain FORWARD of table ip filter" + of_legacy,
                node_v4,
                "No route to host",
                "127.0.0.1"};
    return {"ip6tables" + suffix,
            "icmp6-adm-prohibited",
            "ipv6-icmp",
            "chain FORWARD of table ip6 filter" + of_legacy,
            node_v6,
            "Permission denied",
            "::1"};
}

struct FilterScene
{
    FilterScene()
    {
        require_ok(gateway.pod.add());
        gateway.listen();
    }

    void run(const std::string& line) const
    {
        const Output output = shell(node, line);
        INFO(line << ": " << output.out << output.err);
        REQUIRE(output.status == 0);
    }

    void need(const Dialect& dialect) const
    {
        if (const Output output = shell(node, dialect.command + " -S"); output.status != 0)
            SKIP("this kernel has no " << dialect.command << ": " << output.err);
    }

    /// As on a node whose image guards it.
    void reject_all(const Dialect& dialect) const
    {
        const std::string input = dialect.command + " -A INPUT ";
        run(input + "-m state --state RELATED,ESTABLISHED -j ACCEPT");
        run(input + "-p " + dialect.icmp + " -j ACCEPT");
        run(input + "-i lo -j ACCEPT");
        run(input + "-p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT");
        run(input + "-j REJECT --reject-with " + dialect.reject);
        run(dialect.command + " -A FORWARD -j REJECT --reject-with " + dialect.reject);
    }

    /// What a primary plugin such as Cilium may put in front.
    void accept_pods(const std::string& command) const
    {
        run(command + " -N PODS");
        run(command + " -A PODS -o lxc+ -m comment --comment 'to pods' -j ACCEPT");
        run(command + " -A PODS -i lxc+ -m comment --comment 'from pods' -j ACCEPT");
        run(command + " -I FORWARD -j PODS");
    }

    std::string from_outside(const std::string& address) const { return name_in(ask_tcp(node.client, {address, 80})); }

    /// The doctor's finding of that check and level; null where there is none.
    Json finding(const std::string& check, const std::string& level) const
    {
        const Json report = Json::parse(node.tool({"doctor", "--json"}).out);
        for (const Json& each : report.at("findings"))
            if (each.at("check") == check && each.at("level") == level)
                return each;
        return nullptr;
    }

    /// Runs each command that stands between backquotes.
    void follow(std::string advice) const
    {
        int commands = 0;
        for (auto from = advice.find('`'); from != std::string::npos; from = advice.find('`', from + 1)) {
            const auto to = advice.find('`', from + 1);
            run(advice.substr(from + 1, to - from - 1));
            from = to;
            ++commands;
        }
        CHECK(commands == 2);
    }

    LocalNode node;
    LocalGateway gateway{node, "gateway", "80:9080, 80:9080/udp"};
};

bool holds(const Json& finding, const std::string& member, const std::string& words)
{
    INFO(finding.dump(2) << " should say, in " << member << ": " << words);
    CHECK((!finding.is_null() && finding.at(member).get<std::string>().find(words) != std::string::npos));
    return true;
}

}  // namespace

TEST_CASE("FORWARD that ends in REJECT: refused from outside, served on the node, found and cured", "[filter]")
{
    const bool v4 = GENERATE(true, false);
    const bool legacy = GENERATE(false, true);
    const Dialect dialect = ::dialect(v4, legacy);
    CAPTURE(dialect.command);
    const FilterScene scene;
    scene.need(dialect);
    CHECK(scene.finding("forward-filter", "ok").is_object());
    CHECK(scene.finding("input-filter", "note").is_null());

    scene.reject_all(dialect);
    CHECK(ask_tcp(scene.node.client, {dialect.node, 80}) == dialect.refusal);
    CHECK(ask_udp(scene.node.client, {dialect.node, 80}) == dialect.refusal);
    {
        const Stay stay(scene.node.cgroup, processes);
        CHECK(name_in(ask_tcp(scene.node.host, {dialect.node, 80})) == "gateway");
        CHECK(name_in(ask_tcp(scene.node.host, {dialect.loopback, 80})) == "gateway");
        CHECK(name_in(ask_udp(scene.node.host, {dialect.node, 80})) == "gateway");
    }
    const Json found = scene.finding("forward-filter", "failure");
    holds(found, "what", dialect.chain + " (rule 1) rejects");
    holds(found, "what", dialect.refusal);
    holds(scene.finding("input-filter", "note"), "what", "INPUT");

    scene.follow(found.at("advice"));
    CHECK(scene.from_outside(dialect.node) == "gateway");
    CHECK(name_in(ask_udp(scene.node.client, {dialect.node, 80})) == "gateway");
    CHECK(scene.finding("forward-filter", "ok").is_object());
}

TEST_CASE("a chain that accepts pods' devices in front of REJECT: served, and in order", "[filter]")
{
    const bool v4 = GENERATE(true, false);
    const bool legacy = GENERATE(false, true);
    const Dialect dialect = ::dialect(v4, legacy);
    CAPTURE(dialect.command);
    const FilterScene scene;
    scene.need(dialect);
    scene.reject_all(dialect);
    scene.accept_pods(dialect.command);
    CHECK(scene.from_outside(dialect.node) == "gateway");
    CHECK(name_in(ask_udp(scene.node.client, {dialect.node, 80})) == "gateway");
    CHECK(scene.finding("forward-filter", "ok").is_object());

    // The image's rules come back after the primary's, as at boot.
    scene.run(dialect.command + " -D FORWARD -j PODS");
    scene.run(dialect.command + " -A FORWARD -j PODS");
    CHECK(scene.from_outside(dialect.node) == dialect.refusal.substr(0, dialect.refusal.find(' ')));
    holds(scene.finding("forward-filter", "failure"), "what", "(rule 1)");
}

TEST_CASE("FORWARD whose policy is DROP: silence, found and cured, answers too", "[filter]")
{
    const bool legacy = GENERATE(false, true);
    const Dialect dialect = ::dialect(true, legacy);
    CAPTURE(dialect.command);
    const FilterScene scene;
    scene.need(dialect);
    scene.run(dialect.command + " -P FORWARD DROP");
    CHECK(ask_tcp(scene.node.client, {node_v4, 80}, {.limit = impatience}) == "silence");
    holds(scene.finding("forward-filter", "failure"), "what", "(its policy) drops");
    {
        const Stay stay(scene.node.cgroup, processes);
        CHECK(name_in(ask_tcp(scene.node.host, {node_v4, 80})) == "gateway");
    }

    // Half a cure: packets get there, answers don't come back.
    scene.run(dialect.command + " -A FORWARD -o lxc+ -j ACCEPT");
    CHECK(ask_tcp(scene.node.client, {node_v4, 80}, {.limit = impatience}) == "silence");
    const Json found = scene.finding("forward-filter", "failure");
    holds(found, "what", "the answers");
    scene.run(dialect.command + " -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    CHECK(scene.from_outside(node_v4) == "gateway");
    CHECK(scene.finding("forward-filter", "ok").is_object());
}

TEST_CASE("what can't be told from the rules is a note", "[filter]")
{
    const bool legacy = GENERATE(false, true);
    const Dialect dialect = ::dialect(true, legacy);
    CAPTURE(dialect.command);
    const FilterScene scene;
    scene.need(dialect);
    scene.run(dialect.command + " -P FORWARD DROP");
    scene.run(dialect.command + " -A FORWARD -m mark ! --mark 7 -j ACCEPT");
    CHECK(scene.from_outside(node_v4) == "gateway");
    CHECK(scene.finding("forward-filter", "failure").is_null());
    holds(scene.finding("forward-filter", "note"), "what", "what no rule before it accepts");
}

TEST_CASE("a table of nftables' own: found, and cured by nft", "[filter]")
{
    const FilterScene scene;
    if (const Output output = shell(scene.node, "nft list ruleset"); output.status != 0)
        SKIP("no nft, or no nftables: " << output.err);
    scene.run(
        "nft 'add table inet guard; add chain inet guard ways { type filter hook forward priority 10; policy drop; }'");
    scene.run("nft 'add rule inet guard ways ct state established,related accept'");
    scene.run("nft 'add rule inet guard ways ip daddr 10.99.0.0/16 accept'");
    scene.run("nft 'add rule inet guard ways iifname \"lxc*\" oifname \"eth7\" accept'");
    CHECK(ask_tcp(scene.node.client, {node_v4, 80}, {.limit = impatience}) == "silence");
    CHECK(ask_tcp(scene.node.client, {node_v6, 80}, {.limit = impatience}) == "silence");
    const Json found = scene.finding("forward-filter", "failure");
    holds(found, "what", "chain ways of table inet guard (its policy) drops");
    scene.follow(found.at("advice"));
    for (const std::string& address : {node_v4, node_v6})
        CHECK(scene.from_outside(address) == "gateway");
    CHECK(scene.finding("forward-filter", "ok").is_object());
}

TEST_CASE("the doctor makes no table of iptables-legacy by looking", "[filter]")
{
    const FilterScene scene;
    CHECK(scene.finding("forward-filter", "ok").is_object());
    CHECK(shell(scene.node, "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names").out.empty());
}
