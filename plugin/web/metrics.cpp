// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/metrics.hpp"

#include "sallyport/abi.h"

#include <initializer_list>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace sallyport {

namespace {

/// `after - before`; all of `after` where the counter began anew.
std::uint64_t increase(std::uint64_t before, std::uint64_t after)
{
    return after >= before ? after - before : after;
}

Traffic increase(const Traffic& before, const Traffic& after)
{
    Traffic more;
    for (const auto member : {&Traffic::connections, &Traffic::handovers, &Traffic::held, &Traffic::packets_from_client,
                              &Traffic::packets_from_pod, &Traffic::bytes_from_client, &Traffic::bytes_from_pod})
        more.*member = increase(before.*member, after.*member);
    return more;
}

void add_to(Traffic& sum, const Traffic& more)
{
    for (const auto member : {&Traffic::connections, &Traffic::handovers, &Traffic::held, &Traffic::packets_from_client,
                              &Traffic::packets_from_pod, &Traffic::bytes_from_client, &Traffic::bytes_from_pod})
        sum.*member += more.*member;
}

PortLabel label_of(const NodePort& node_port)
{
    return {number(node_port.port), node_port.protocol};
}

using Label = std::pair<std::string_view, std::string_view>;

/// Writes families one after the other; each begins with its HELP and TYPE.
class Text
{
public:
    void family(std::string_view name, std::string_view type, std::string_view help)
    {
        name_ = name;
        append({"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"});
    }

    void sample(std::initializer_list<Label> labels, std::uint64_t value)
    {
        text_ += name_;
        std::string_view before = "{";
        for (const auto& [label, text] : labels) {
            append({before, label, "=\""});
            append_escaped(text);
            text_ += '"';
            before = ",";
        }
        append({labels.size() > 0 ? "} " : " ", std::to_string(value), "\n"});
    }

    std::string take() { return std::move(text_); }

private:
    void append(std::initializer_list<std::string_view> parts)
    {
        for (const std::string_view part : parts)
            text_ += part;
    }

    void append_escaped(std::string_view text)
    {
        for (const char character : text) {
            if (character == '\n')
                text_ += "\\n";
            else if (character == '\\' || character == '"')
                append({"\\", {&character, 1}});
            else
                text_ += character;
        }
    }

    std::string text_;
    std::string_view name_;
};

void write_node_ports(Text& text, const NodeReport& report)
{
    std::map<PortLabel, std::uint64_t> addresses;
    for (const NodePortReport& port : report.node_ports)
        addresses[label_of(port.node_port)]++;
    text.family("sallyport_node_ports", "gauge",
                "Addresses at which pods hold this port of the node; 0.0.0.0 and :: count as one each.");
    for (const auto& [label, count] : addresses)
        text.sample({{"port", std::to_string(label.port)}, {"proto", name(label.protocol)}}, count);
}

void write_backends(Text& text, const NodeReport& report)
{
    struct Counts
    {
        std::uint64_t listening = 0;
        std::uint64_t silent = 0;
    };
    std::map<std::tuple<PortLabel, std::string_view, std::string_view>, Counts> pods;
    for (const NodePortReport& port : report.node_ports)
        for (const PodReport& pod : port.pods) {
            Counts& counts = pods[{label_of(port.node_port), pod.pod_namespace, pod.pod}];
            (serves(pod.candidate) ? counts.listening : counts.silent)++;
        }
    text.family("sallyport_backends", "gauge",
                "Addresses at which this pod stands behind the port, by whether it serves there now. Both series are "
                "there for each pod; where none of a port serves, the youngest gets new connections and answers or "
                "refuses itself.");
    for (const auto& [labels, counts] : pods) {
        const auto& [label, pod_namespace, pod] = labels;
        const std::string port = std::to_string(label.port);
        for (const bool listening : {true, false})
            text.sample({{"port", port},
                         {"proto", name(label.protocol)},
                         {"pod", pod},
                         {"namespace", pod_namespace},
                         {"listening", listening ? "true" : "false"}},
                        listening ? counts.listening : counts.silent);
    }
}

std::string_view word_of(const Candidate& candidate)
{
    if (!candidate.word)
        return "none";
    if (candidate.word->ending)
        return "ending";
    return candidate.word->readiness == Readiness::not_ready ? "not_ready" : "ready";
}

/// The whole name of a state is its labels: a pod's series is another once it is known otherwise.
void write_witnesses(Text& text, const NodeReport& report)
{
    std::map<std::tuple<PortLabel, std::string_view, std::string_view, std::string_view, std::string_view>,
             std::uint64_t>
        places;
    for (const NodePortReport& port : report.node_ports)
        for (const PodReport& pod : port.pods)
            places[{label_of(port.node_port), pod.pod_namespace, pod.pod, witness_of(pod.candidate),
                    word_of(pod.candidate)}]++;
    text.family("sallyport_witnesses", "gauge",
                "Addresses at which this pod stands behind the port, by what shows that it serves there (socket, "
                "answer, none), and by Kubernetes' word on it (ready, not_ready, ending, none).");
    for (const auto& [labels, count] : places) {
        const auto& [label, pod_namespace, pod, witness, word] = labels;
        text.sample({{"port", std::to_string(label.port)},
                     {"proto", name(label.protocol)},
                     {"pod", pod},
                     {"namespace", pod_namespace},
                     {"witness", witness},
                     {"kubernetes", word}},
                    count);
    }
}

void write_connections(Text& text, const PortTotals& totals)
{
    text.family("sallyport_connections_total", "counter",
                "Connections, and UDP exchanges, let in through the port, by the namespace whose pods held it.");
    for (const auto& [label, total] : totals.ports())
        for (const auto& [pod_namespace, connections] : total.connections)
            text.sample(
                {{"port", std::to_string(label.port)}, {"proto", name(label.protocol)}, {"namespace", pod_namespace}},
                connections);
}

/// A counter with a series for each direction. Named from the node: what comes from clients is "in".
void write_both_ways(Text& text, const PortTotals& totals, std::uint64_t Traffic::* in, std::uint64_t Traffic::* out)
{
    for (const auto& [label, total] : totals.ports()) {
        const std::string port = std::to_string(label.port);
        text.sample({{"port", port}, {"proto", name(label.protocol)}, {"direction", "in"}}, total.traffic.*in);
        text.sample({{"port", port}, {"proto", name(label.protocol)}, {"direction", "out"}}, total.traffic.*out);
    }
}

void write_per_port(Text& text, const PortTotals& totals, std::uint64_t Traffic::* counter)
{
    for (const auto& [label, total] : totals.ports())
        text.sample({{"port", std::to_string(label.port)}, {"proto", name(label.protocol)}}, total.traffic.*counter);
}

void write_traffic(Text& text, const PortTotals& totals)
{
    write_connections(text, totals);
    text.family("sallyport_packets_total", "counter",
                "Packets translated: in, from clients to pods, and out, from pods to clients.");
    write_both_ways(text, totals, &Traffic::packets_from_client, &Traffic::packets_from_pod);
    text.family("sallyport_bytes_total", "counter", "Bytes of these packets, from the IP header on.");
    write_both_ways(text, totals, &Traffic::bytes_from_client, &Traffic::bytes_from_pod);
    text.family("sallyport_handovers_total", "counter",
                "Connections that went to another pod than the one before; none where the pods share by spread.");
    write_per_port(text, totals, &Traffic::handovers);
    text.family("sallyport_held_total", "counter",
                "Packets of new connections left unanswered, as no pod listened yet and theirs asked to hold.");
    write_per_port(text, totals, &Traffic::held);
}

void write_agent(Text& text, const AgentState& agent, const BuildInfo& build)
{
    text.family("sallyport_conflicts_total", "counter",
                "Pods refused because their node port was taken, since the node's start, each once.");
    text.sample({}, agent.conflicts.pods);
    text.family("sallyport_conflicting_pods", "gauge",
                "Pods that were refused so within the last two minutes, and are tried again and again.");
    text.sample({}, agent.conflicts.going);
    text.family("sallyport_reattached_total", "counter",
                "Programs that this agent put back before others, or attached again, since it started.");
    text.sample({}, agent.reattached);
    text.family("sallyport_build_info", "gauge", "1; the labels say what runs.");
    text.sample({{"version", build.version}, {"commit", build.commit}, {"abi", std::to_string(SALLYPORT_ABI)}}, 1);
}

void write_node(Text& text, const NodeReport& report)
{
    text.family("sallyport_flows", "gauge",
                "Live translations: new, handshake not completed or datagram not answered; established, over TCP; "
                "answered, of datagrams.");
    text.sample({{"tier", "new"}}, report.flows.fresh);
    text.sample({{"tier", "established"}}, report.flows.established);
    text.sample({{"tier", "answered"}}, report.flows.answered);
    text.family("sallyport_drops_total", "counter", "Packets dropped since the tables were made, by reason.");
    for (const auto& [reason, packets] : report.drops)
        text.sample({{"reason", reason}}, packets);
}

}  // namespace

void PortTotals::add(const NodeReport& report)
{
    std::map<NodePort, Seen> seen;
    std::set<PortLabel> alive;
    for (const NodePortReport& port : report.node_ports) {
        const auto known = seen_.find(port.node_port);
        Seen now = known == seen_.end() ? Seen{} : known->second;
        const Traffic more = increase(now.traffic, port.traffic);
        now.traffic = port.traffic;
        if (!port.pods.empty())  // all of them are of one namespace
            now.pod_namespace = port.pods.front().pod_namespace;

        Total& total = ports_[label_of(port.node_port)];
        add_to(total.traffic, more);
        if (now.pod_namespace)
            total.connections[*now.pod_namespace] += more.connections;
        seen.emplace(port.node_port, std::move(now));
        alive.insert(label_of(port.node_port));
    }
    std::erase_if(ports_, [&](const auto& entry) { return !alive.contains(entry.first); });
    seen_ = std::move(seen);
}

std::string metrics_text(const NodeReport& report, const PortTotals& totals, const AgentState& agent,
                         const BuildInfo& build)
{
    Text text;
    write_node_ports(text, report);
    write_backends(text, report);
    write_witnesses(text, report);
    write_traffic(text, totals);
    write_node(text, report);
    write_agent(text, agent, build);
    return text.take();
}

std::string metrics_text(std::uint32_t another_abi, const AgentState& agent, const BuildInfo& build)
{
    Text text;
    text.family("sallyport_tables_of_another_abi", "gauge",
                "1 while the node's tables are another version's, whose node ports and traffic this agent can't read.");
    text.sample({{"abi", std::to_string(another_abi)}}, 1);
    write_agent(text, agent, build);
    return text.take();
}

}  // namespace sallyport
