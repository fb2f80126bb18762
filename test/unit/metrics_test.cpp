// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/metrics.hpp"

#include "support/prometheus.hpp"

#include <catch2/catch_test_macros.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::test;

namespace {

PodReport measured_pod(const std::string& name, bool listening, const std::string& pod_namespace = "apisix")
{
    PodReport report;
    report.pod_namespace = pod_namespace;
    report.pod = name;
    if (listening)
        report.candidate.seen.listening_since = Instant(std::chrono::seconds(1));
    return report;
}

NodePortReport measured_port(const std::string& address, std::uint16_t number, std::vector<PodReport> pods,
                             Traffic traffic = {}, Protocol protocol = Protocol::tcp)
{
    NodePortReport report;
    report.node_port = {*Address::parse(address), HostPort{number}, protocol};
    report.pods = std::move(pods);
    report.traffic = traffic;
    return report;
}

Metrics metrics_of(const NodeReport& report, const PortTotals& totals, const AgentState& agent = {})
{
    return parse_metrics(metrics_text(report, totals, agent, {"1.2.3", "abc"}));
}

/// Of a server that has seen these reports and no others.
Metrics metrics_after(const std::vector<NodeReport>& reports, const AgentState& agent = {})
{
    PortTotals totals;
    for (const NodeReport& report : reports)
        totals.add(report);
    return metrics_of(reports.back(), totals, agent);
}

NodeReport measured_report(std::vector<NodePortReport> ports)
{
    NodeReport report;
    report.node_ports = std::move(ports);
    return report;
}

}  // namespace

TEST_CASE("metrics: every name of the contract is there, with its type, on an empty node too", "[metrics]")
{
    const std::map<std::string, std::string> contract{
        {"sallyport_node_ports", "gauge"},          {"sallyport_backends", "gauge"},
        {"sallyport_connections_total", "counter"}, {"sallyport_packets_total", "counter"},
        {"sallyport_bytes_total", "counter"},       {"sallyport_flows", "gauge"},
        {"sallyport_drops_total", "counter"},       {"sallyport_handovers_total", "counter"},
        {"sallyport_held_total", "counter"},        {"sallyport_conflicts_total", "counter"},
        {"sallyport_conflicting_pods", "gauge"},    {"sallyport_reattached_total", "counter"},
        {"sallyport_build_info", "gauge"},          {"sallyport_witnesses", "gauge"}};
    CHECK(metrics_after({{}}).types == contract);
}

TEST_CASE("metrics: of another version's tables nothing is said but whose they are", "[metrics]")
{
    AgentState agent;
    agent.conflicts = {.pods = 3, .going = 1};
    const Metrics metrics = parse_metrics(metrics_text(7, agent, {"1.2.3", "abc"}));
    const std::map<std::string, std::string> left{{"sallyport_tables_of_another_abi", "gauge"},
                                                  {"sallyport_conflicts_total", "counter"},
                                                  {"sallyport_conflicting_pods", "gauge"},
                                                  {"sallyport_reattached_total", "counter"},
                                                  {"sallyport_build_info", "gauge"}};
    CHECK(metrics.types == left);
    CHECK(metrics.at("sallyport_tables_of_another_abi{abi=7}") == 1);
    CHECK(metrics.at("sallyport_conflicts_total") == 3);
    CHECK(metrics.at("sallyport_conflicting_pods") == 1);
}

TEST_CASE("metrics: a port's addresses and protocols", "[metrics]")
{
    const Metrics metrics = metrics_after({measured_report(
        {measured_port("0.0.0.0", 80, {measured_pod("a", true)}), measured_port("::", 80, {measured_pod("a", false)}),
         measured_port("192.0.2.1", 80, {measured_pod("b", true)}),
         measured_port("0.0.0.0", 443, {measured_pod("a", true)}, {}, Protocol::udp)})});
    CHECK(metrics.at("sallyport_node_ports{port=80,proto=tcp}") == 3);
    CHECK(metrics.at("sallyport_node_ports{port=443,proto=udp}") == 1);
    const std::string a = "sallyport_backends{port=80,proto=tcp,pod=a,namespace=apisix,listening=";
    CHECK(metrics.at(a + "true}") == 1);
    CHECK(metrics.at(a + "false}") == 1);
    CHECK(metrics.at("sallyport_backends{port=80,proto=tcp,pod=b,namespace=apisix,listening=true}") == 1);
    CHECK(metrics.at("sallyport_backends{port=80,proto=tcp,pod=b,namespace=apisix,listening=false}") == 0);
}

TEST_CASE("metrics: by what a pod serves, and what Kubernetes says of it", "[metrics]")
{
    PodReport answers = measured_pod("a", false);
    answers.candidate.seen.answering_since = Instant(std::chrono::seconds(1));
    answers.candidate.word = Word{.readiness = Readiness::ready};
    PodReport ends = measured_pod("b", true);
    ends.candidate.word = Word{.readiness = Readiness::not_ready, .ending = true};
    const Metrics metrics = metrics_after(
        {measured_report({measured_port("0.0.0.0", 80, {answers, ends}), measured_port("::", 80, {ends})})});
    const std::string one = "sallyport_witnesses{port=80,proto=tcp,pod=";
    CHECK(metrics.at(one + "a,namespace=apisix,witness=answer,kubernetes=ready}") == 1);
    CHECK(metrics.at(one + "b,namespace=apisix,witness=socket,kubernetes=ending}") == 2);
}

TEST_CASE("metrics: traffic is summed over a port's addresses", "[metrics]")
{
    const Metrics metrics = metrics_after(
        {measured_report({measured_port("0.0.0.0", 80, {measured_pod("a", true)}, {1, 2, 3, 4, 5, 6, 7}),
                          measured_port("::", 80, {measured_pod("a", true)}, {10, 20, 30, 40, 50, 60, 70})})});
    CHECK(metrics.at("sallyport_connections_total{port=80,proto=tcp,namespace=apisix}") == 11);
    CHECK(metrics.at("sallyport_handovers_total{port=80,proto=tcp}") == 22);
    CHECK(metrics.at("sallyport_held_total{port=80,proto=tcp}") == 33);
    CHECK(metrics.at("sallyport_packets_total{port=80,proto=tcp,direction=in}") == 44);
    CHECK(metrics.at("sallyport_packets_total{port=80,proto=tcp,direction=out}") == 55);
    CHECK(metrics.at("sallyport_bytes_total{port=80,proto=tcp,direction=in}") == 66);
    CHECK(metrics.at("sallyport_bytes_total{port=80,proto=tcp,direction=out}") == 77);
}

TEST_CASE("metrics: connections are counted for the namespace that holds the address", "[metrics]")
{
    const std::string kong = "sallyport_connections_total{port=80,proto=tcp,namespace=kong}";
    const std::string apisix = "sallyport_connections_total{port=80,proto=tcp,namespace=apisix}";
    const NodePortReport shared = measured_port("192.0.2.1", 80, {measured_pod("k", true, "kong")}, {.connections = 5});
    const Metrics both = metrics_after(
        {measured_report({measured_port("0.0.0.0", 80, {measured_pod("a", true)}, {.connections = 3}), shared})});
    CHECK(both.at(apisix) == 3);
    CHECK(both.at(kong) == 5);

    // A port that waits for its next pod still has its last one's connections.
    const Metrics waiting = metrics_after(
        {measured_report({shared}), measured_report({measured_port("192.0.2.1", 80, {}, {.connections = 6})})});
    CHECK(waiting.at(kong) == 6);
    // Found waiting, nobody knows whose it was.
    CHECK_FALSE(
        metrics_after({measured_report({measured_port("192.0.2.1", 80, {}, {.connections = 6})})}).contains(kong));
}

TEST_CASE("metrics: counters don't go down while the port lives", "[metrics]")
{
    const std::string in = "sallyport_packets_total{port=80,proto=tcp,direction=in}";
    const NodePortReport any = measured_port("0.0.0.0", 80, {measured_pod("a", true)}, {.packets_from_client = 100});
    const NodePortReport exact =
        measured_port("192.0.2.1", 80, {measured_pod("b", true)}, {.packets_from_client = 1000});
    PortTotals totals;
    const auto look = [&](const NodeReport& report) {
        totals.add(report);
        return metrics_of(report, totals);
    };
    CHECK(look(measured_report({any, exact})).at(in) == 1100);
    CHECK(look(measured_report({any})).at(in) == 1100);  // one of two addresses went
    NodePortReport again = exact;
    again.traffic.packets_from_client = 7;
    CHECK(look(measured_report({any, again})).at(in) == 1107);  // and came back with a counter that began anew
    again.traffic.packets_from_client = 2;                      // gone and back between two looks
    CHECK(look(measured_report({any, again})).at(in) == 1109);
    CHECK_FALSE(look(measured_report({})).contains(in));
    CHECK(look(measured_report({any})).at(in) == 100);  // another life
}

TEST_CASE("metrics: what the node and the agent say", "[metrics]")
{
    NodeReport report;
    report.flows.fresh = 3;
    report.flows.established = 4;
    report.flows.answered = 5;
    report.drops = {{"clash", 5}, {"rewrite_failed", 0}};
    AgentState agent;
    agent.conflicts = {.pods = 6, .going = 2};
    agent.reattached = 7;
    const Metrics metrics = metrics_after({report}, agent);
    CHECK(metrics.at("sallyport_flows{tier=new}") == 3);
    CHECK(metrics.at("sallyport_flows{tier=established}") == 4);
    CHECK(metrics.at("sallyport_flows{tier=answered}") == 5);
    CHECK(metrics.at("sallyport_drops_total{reason=clash}") == 5);
    CHECK(metrics.at("sallyport_drops_total{reason=rewrite_failed}") == 0);
    CHECK(metrics.at("sallyport_conflicts_total") == 6);
    CHECK(metrics.at("sallyport_conflicting_pods") == 2);
    CHECK(metrics.at("sallyport_reattached_total") == 7);
    CHECK(metrics.at("sallyport_build_info{version=1.2.3,commit=abc,abi=6}") == 1);
}

TEST_CASE("metrics: names can't break out of their labels", "[metrics]")
{
    const std::string evil = "x\"} 1\nsallyport_flows{tier=\"\\";
    const Metrics metrics =
        metrics_after({measured_report({measured_port("0.0.0.0", 80, {measured_pod(evil, true)})})});
    CHECK(metrics.at("sallyport_backends{port=80,proto=tcp,pod=" + evil + ",namespace=apisix,listening=true}") == 1);
    CHECK(metrics.at("sallyport_flows{tier=new}") == 0);
}

TEST_CASE("the tests' reader of metrics notices what is wrong", "[metrics]")
{
    const std::string good = "# HELP a_total Text.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
    CHECK(parse_metrics(good).at("a_total{b=c}") == 1);
    for (const std::string& bad : {
             std::string("a_total 1\n"),                                          // of no family
             std::string("# HELP a_total Text.\n# TYPE a_total counter\na 1\n"),  // of another one
             good + "a_total{b=\"c\"} 2\n",                                       // twice
             good + good,
             good.substr(0, good.size() - 1),  // no end of line
             std::string("# HELP a_total Text.\n# TYPE a_total counter\na_total{b=\"c} 1\n"),
             std::string("# HELP a_total Text.\n# TYPE a_total counter\na_total{b=\"c\\x\"} 1\n"),
             std::string("# HELP a_total Text.\n# TYPE a_total counter\na_total{b=\"c\",b=\"d\"} 1\n"),
             std::string("# HELP a_total Text.\n# TYPE a_total counter\na_total{b=\"c\"} one\n"),
             std::string("# HELP a_total Text.\n# TYPE a_total numbers\na_total 1\n"),
             std::string("# HELP a Text.\n# TYPE a counter\na 1\n"),  // a counter's name ends in _total
             std::string("# HELP a_total a \\\" b\n# TYPE a_total counter\na_total 1\n"),
         }) {
        INFO(bad);
        CHECK_THROWS(parse_metrics(bad));
    }
}
