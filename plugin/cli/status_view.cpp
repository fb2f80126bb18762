// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/status_view.hpp"

#include "sallyport/cli/table.hpp"
#include "sallyport/cli/text.hpp"
#include "sallyport/duration.hpp"
#include "sallyport/listed.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace sallyport {

namespace {

using Align = Column::Align;
using WhenNarrow = Column::WhenNarrow;

constexpr const char* nobody =
    "No pod holds a port of this node.\n"
    "\n"
    "A gateway pod asks for ports in an annotation, which the runtime reads when it makes the pod:\n"
    "\n"
    "  sallyport.dev/expose: \"80:9080, 443:9443\"\n"
    "\n"
    "`sallyport doctor` says whether this node would serve it.\n";

bool is_any(const NodePortReport& port)
{
    return port.node_port.scope == Scope::node && port.node_port.address.is_any();
}

bool same_pod(const PodReport& a, const PodReport& b)
{
    return a.container_id == b.container_id && a.backend.port == b.backend.port &&
           serves(a.candidate) == serves(b.candidate) && a.choice.takes_new == b.choice.takes_new;
}

bool are_halves(const NodePortReport& a, const NodePortReport& b)
{
    return is_any(a) && is_any(b) && a.node_port.port == b.node_port.port &&
           a.node_port.protocol == b.node_port.protocol && a.node_port.address.is_v4() != b.node_port.address.is_v4() &&
           a.sharing == b.sharing && a.waits_for.has_value() == b.waits_for.has_value() &&
           std::equal(a.pods.begin(), a.pods.end(), b.pods.begin(), b.pods.end(), same_pod);
}

/// "newest", "spread, settle 10s, hold 15s"
std::string sharing_text(const Sharing& sharing)
{
    constexpr std::chrono::milliseconds none{0};
    return std::string(name(sharing.share)) + (sharing.settle > none ? ", settle " + to_string(sharing.settle) : "") +
           (sharing.hold > none ? ", hold " + to_string(sharing.hold) : "");
}

Cell listens_cell(const Candidate& candidate, Instant now)
{
    if (!serves(candidate))
        return {"no", Tone::warning};
    const auto duration = serving_for(candidate, now);
    return {duration.count() > 0 ? human_duration(duration) : "yes"};
}

Cell takes_new_cell(const PodReport& pod)
{
    return {pod.choice.takes_new ? "yes" : "no", pod.choice.takes_new    ? Tone::good
                                                 : serves(pod.candidate) ? Tone::dim
                                                                         : Tone::warning};
}

/// What is summed over the halves of a group.
struct Sums
{
    Rates rates;
    std::uint64_t connections = 0;
};

Sums sums_of(const PortGroup& group)
{
    Sums sums;
    for (const NodePortReport& half : group.halves) {
        sums.rates.connections += half.rates.connections;
        sums.rates.bytes_from_client += half.rates.bytes_from_client;
        sums.rates.bytes_from_pod += half.rates.bytes_from_pod;
        sums.connections += half.traffic.connections;
    }
    return sums;
}

/// The pod in that place of a group, with its lines' last three cells left to whoever knows whether it is the first.
std::vector<Cell> pod_cells(const PortGroup& group, std::size_t place, Instant now)
{
    const PodReport& pod = group.halves[0].pods[place];
    std::string backends;
    std::uint64_t flows = 0;
    for (const NodePortReport& half : group.halves) {
        backends += (backends.empty() ? "" : " ") + address_and_port(half.pods[place].backend);
        flows += half.pods[place].flows;
    }
    return {full_name(pod),      backends,       listens_cell(pod.candidate, now),
            takes_new_cell(pod), pod.choice.why, std::to_string(flows)};
}

void add_rows(const PortGroup& group, Instant now, TextTable& table)
{
    const NodePortReport& port = group.halves[0];
    std::vector<std::vector<Cell>> rows;
    for (std::size_t i = 0; i < port.pods.size(); i++)
        rows.push_back(pod_cells(group, i, now));
    if (port.waits_for) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(*port.waits_for);
        rows.push_back(
            {"-", "-", "-", Cell("no", Tone::warning), "waits for a pod, " + human_duration(left) + " more", "-"});
    }
    const Sums sums = sums_of(group);
    for (std::size_t i = 0; i < rows.size(); i++) {
        std::vector<Cell> row{i == 0 ? Cell(group.name, Tone::bold) : Cell("")};
        std::move(rows[i].begin(), rows[i].end(), std::back_inserter(row));
        if (i == 0) {
            row.emplace_back(fmt::format("{:.0f}", sums.rates.connections));
            row.emplace_back(human_rate(sums.rates.bytes_from_client));
            row.emplace_back(human_rate(sums.rates.bytes_from_pod));
            row.emplace_back(std::to_string(sums.connections));
            row.emplace_back(sharing_text(port.sharing));
        }
        row.resize(12, Cell(""));
        table.add(std::move(row));
    }
}

std::string node_port_table(const NodeReport& report, const Screen& screen)
{
    TextTable table({{"NODE PORT"},
                     {"POD"},
                     {"BACKEND", Align::left, WhenNarrow::out, 4},
                     {"LISTENS", Align::right},
                     {"TAKES NEW"},
                     {"WHY", Align::left, WhenNarrow::below, 3},
                     {"FLOWS", Align::right},
                     {"NEW/S", Align::right},
                     {"IN", Align::right, WhenNarrow::below, 5, false, "in"},
                     {"OUT", Align::right, WhenNarrow::below, 5, false, "out"},
                     {"TOTAL", Align::right, WhenNarrow::out, 1},
                     {"SHARE", Align::left, WhenNarrow::out, 2}});
    for (const PortGroup& group : group_ports(report.node_ports))
        add_rows(group, report.sample.at, table);
    return table.render(screen);
}

std::string remap_table(const NodeReport& report, const Screen& screen)
{
    TextTable table({{"REMAPPED PORT"},
                     {"POD"},
                     {"LEADS TO"},
                     {"LISTENS", Align::right},
                     {"FLOWS", Align::right},
                     {"TOTAL", Align::right, WhenNarrow::out, 1}});
    for (const RemapReport& remap : report.remaps)
        table.add({Cell(remap.pod_port.to_string(), Tone::bold), full_name(remap.pod),
                   ":" + std::to_string(number(remap.pod.backend.port)),
                   listens_cell(remap.pod.candidate, report.sample.at), std::to_string(remap.pod.flows),
                   std::to_string(remap.traffic.connections)});
    return table.render(screen);
}

/// A line "name  text", the text wrapped under itself.
std::string fact(const std::string& name, const std::string& text, const Screen& screen, Tone tone = Tone::plain)
{
    constexpr std::size_t indent = 11;
    std::string lines;
    for (const std::string& line :
         screen.width > 2 * indent ? wrapped(text, screen.width - indent) : std::vector<std::string>{text})
        lines +=
            (lines.empty() ? screen.paint(fmt::format("{:<{}}", name, indent), Tone::bold) : std::string(indent, ' ')) +
            screen.paint(line, tone) + '\n';
    return lines;
}

/// "/32" and "/128" say nothing that isn't plain.
std::string text_of(const Prefix& prefix)
{
    return prefix.length == 128 ? prefix.address.to_string() : prefix.to_string();
}

std::string text_of(const Answered& answered)
{
    const auto listed_prefixes = [](const std::vector<Prefix>& prefixes) {
        return listed(prefixes, [](const Prefix& prefix) { return text_of(prefix); });
    };
    const auto prefixes = answered.prefixes();
    return (prefixes.empty() ? "none" : listed_prefixes(prefixes)) +
           (answered.excluded.empty() ? "" : "; not " + listed_prefixes(answered.excluded));
}

std::string facts(const NodeReport& report, const Screen& screen)
{
    std::uint64_t handovers = 0;
    std::uint64_t held = 0;
    for (const NodePortReport& port : report.node_ports) {
        handovers += port.traffic.handovers;
        held += port.traffic.held;
    }
    std::vector<std::string> drops;
    for (const auto& [reason, packets] : report.drops)
        if (packets > 0)
            drops.push_back(fmt::format("{} packets ({})", packets, reason));

    const bool lost = report.devices.empty() && !report.node_ports.empty();
    const std::string devices = lost                     ? "none: the next gateway pod's ADD, or the agent, attaches"
                                : report.devices.empty() ? "none"
                                                         : listed(report.devices);
    return fact("devices", devices, screen, lost ? Tone::bad : Tone::plain) +
           fact("addresses", text_of(report.answered), screen) +
           fact("flows",
                fmt::format("{} established, {} new", report.flows.established + report.flows.answered,
                            report.flows.fresh),
                screen) +
           fact("handovers", std::to_string(handovers), screen) +
           fact("held", held > 0 ? fmt::format("{} packets waited for a listener", held) : "none", screen) +
           fact("dropped", drops.empty() ? "none" : listed(drops), screen, drops.empty() ? Tone::plain : Tone::warning);
}

}  // namespace

std::string short_name(const NodePort& node_port)
{
    if (node_port.scope == Scope::node && node_port.address.is_any())
        return std::to_string(number(node_port.port)) + "/" + std::string(name(node_port.protocol));
    return node_port.to_string();
}

std::string full_name(const PodReport& pod)
{
    return pod.pod_namespace.empty() ? pod.pod : pod.pod_namespace + "/" + pod.pod;
}

std::vector<PortGroup> group_ports(const std::vector<NodePortReport>& ports)
{
    std::vector<PortGroup> groups;
    for (const NodePortReport& port : ports) {
        const auto other = std::find_if(groups.begin(), groups.end(), [&](const PortGroup& group) {
            return group.halves.size() == 1 && are_halves(group.halves[0], port);
        });
        if (other == groups.end()) {
            groups.push_back({port.node_port.to_string(), {port}});
            continue;
        }
        other->name = short_name(port.node_port);
        // IPv4 first, whichever came first.
        other->halves.insert(port.node_port.address.is_v4() ? other->halves.begin() : other->halves.end(), port);
    }
    const auto place = [](const PortGroup& group) {
        const NodePort& port = group.halves[0].node_port;
        return std::tuple(port.port, port.protocol, !port.address.is_any(), !port.address.is_v4(), port.address);
    };
    std::stable_sort(groups.begin(), groups.end(),
                     [&](const PortGroup& a, const PortGroup& b) { return place(a) < place(b); });
    return groups;
}

std::string render_status(const NodeReport& report, const Screen& screen)
{
    if (report.node_ports.empty() && report.remaps.empty())
        return nobody;
    std::string text =
        report.node_ports.empty() ? "No pod holds a port of this node.\n" : node_port_table(report, screen);
    if (!report.remaps.empty())
        text += '\n' + remap_table(report, screen);
    return text + '\n' + facts(report, screen);
}

}  // namespace sallyport
