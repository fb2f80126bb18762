// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include "sallyport/duration.hpp"
#include "sallyport/report.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sallyport {

namespace {

constexpr std::chrono::milliseconds rate_interval{500};

/// "1.2 MB/s": three significant digits at the most, decimal units.
std::string human_rate(double per_second)
{
    constexpr std::array units{"B/s", "kB/s", "MB/s", "GB/s"};
    std::size_t unit = 0;
    for (; per_second >= 1000 && unit + 1 < units.size(); unit++)
        per_second /= 1000;
    const int decimals = unit == 0 || per_second >= 100 ? 0 : 1;
    return fmt::format("{:.{}f} {}", per_second, decimals, units[unit]);
}

using Row = std::vector<std::string>;

std::string full_name(const PodReport& pod)
{
    return pod.pod_namespace.empty() ? pod.pod : pod.pod_namespace + "/" + pod.pod;
}

std::string address_and_port(const Backend& backend)
{
    return bracketed(backend.address) + ":" + std::to_string(number(backend.port));
}

/// "newest", "spread, settle 10s, hold 15s"
std::string sharing_text(const Sharing& sharing)
{
    constexpr std::chrono::milliseconds none{0};
    return std::string(name(sharing.share)) + (sharing.settle > none ? ", settle " + to_string(sharing.settle) : "") +
           (sharing.hold > none ? ", hold " + to_string(sharing.hold) : "");
}

std::vector<Row> rows_of(const NodePortReport& port)
{
    std::vector<Row> rows;
    for (const PodReport& pod : port.pods)
        rows.push_back({"", "", full_name(pod), address_and_port(pod.backend), pod.choice.takes_new ? "yes" : "no",
                        pod.choice.why, std::to_string(pod.flows), "", ""});
    if (port.waits_for) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(*port.waits_for).count();
        rows.push_back({"", "", "-", "-", "no", fmt::format("waits for a pod, {} s more", seconds), "-", "", ""});
    }
    if (!rows.empty()) {
        rows[0][0] = port.node_port.to_string();
        rows[0][1] = sharing_text(port.sharing);
        rows[0][7] = fmt::format("{:.0f}/s", port.rates.connections);
        rows[0][8] =
            human_rate(port.rates.bytes_from_client) + " in, " + human_rate(port.rates.bytes_from_pod) + " out";
    }
    return rows;
}

constexpr const char* green = "\x1b[32m";
constexpr const char* yellow = "\x1b[33m";
constexpr const char* bold = "\x1b[1m";
constexpr const char* plain = "\x1b[0m";

/// Rows under a bold first one. What says yes or no is coloured in the column `coloured`.
void print_rows(const std::vector<Row>& rows, std::size_t coloured, bool terminal, std::ostream& out)
{
    std::vector<std::size_t> widths(rows[0].size());
    for (const Row& row : rows)
        for (std::size_t i = 0; i < row.size(); i++)
            widths[i] = std::max(widths[i], row[i].size());
    for (std::size_t r = 0; r < rows.size(); r++) {
        std::string line;
        for (std::size_t i = 0; i < widths.size(); i++) {
            const bool last = i + 1 == widths.size();
            std::string cell = last ? rows[r][i] : fmt::format("{:<{}}", rows[r][i], widths[i] + 2);
            if (terminal && i == coloured && r > 0)
                cell = (rows[r][i] == "yes" ? green : yellow) + cell + plain;
            line += cell;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out << (terminal && r == 0 ? bold : "") << line << (terminal ? plain : "") << '\n';
    }
}

void print_node_ports(const NodeReport& report, bool terminal, std::ostream& out)
{
    std::vector<Row> rows{{"NODE PORT", "SHARE", "POD", "BACKEND", "TAKES NEW", "WHY", "FLOWS", "NEW", "TRAFFIC"}};
    for (const NodePortReport& port : report.node_ports)
        for (Row& row : rows_of(port))
            rows.push_back(std::move(row));
    print_rows(rows, 4, terminal, out);
}

void print_remaps(const NodeReport& report, bool terminal, std::ostream& out)
{
    std::vector<Row> rows{{"REMAPPED PORT", "POD", "LEADS TO", "LISTENS", "FLOWS"}};
    for (const RemapReport& remap : report.remaps)
        rows.push_back({remap.pod_port.to_string(), full_name(remap.pod), address_and_port(remap.pod.backend),
                        remap.pod.candidate.listening ? "yes" : "no", std::to_string(remap.pod.flows)});
    print_rows(rows, 3, terminal, out);
}

void print_summary(const NodeReport& report, std::ostream& out)
{
    std::uint64_t handovers = 0;
    std::uint64_t held = 0;
    for (const NodePortReport& port : report.node_ports) {
        handovers += port.traffic.handovers;
        held += port.traffic.held;
    }
    std::string devices;
    for (const std::string& device : report.devices)
        devices += (devices.empty() ? "" : ", ") + device;
    if (devices.empty())
        devices = report.node_ports.empty() ? "no outside device" : "no device: new ADDs attach";
    out << "\non " << devices << "; " << report.flows.established << " established and " << report.flows.fresh
        << " new flows";
    if (handovers > 0)
        out << "; " << handovers << " handovers";
    if (held > 0)
        out << "; " << held << " packets held";
    for (const auto& [reason, packets] : report.drops)
        if (packets > 0)
            out << "; " << packets << " packets dropped (" << reason << ")";
    out << '\n';
}

NodeReport report_over(const Datapath& datapath, std::chrono::milliseconds interval)
{
    const TrafficSample before = take_sample(datapath);
    std::this_thread::sleep_for(interval);
    return report_node(datapath, before);
}

struct StatusOptions
{
    std::filesystem::path bpffs = "/sys/fs/bpf";
    bool json = false;
};

/// Takes half a second: rates are the difference of two looks.
void print_status(const StatusOptions& options, const Environment& environment)
{
    Paths paths;
    paths.bpffs = options.bpffs;
    const auto datapath = Datapath::find(paths);
    const NodeReport report = datapath ? report_over(*datapath, rate_interval) : NodeReport{};
    if (options.json) {
        environment.out << to_json(report, true) << '\n';
        return;
    }
    if (report.node_ports.empty())
        environment.out << "No pod holds a port of this node.\n";
    else
        print_node_ports(report, environment.terminal, environment.out);
    if (!report.remaps.empty()) {
        environment.out << '\n';
        print_remaps(report, environment.terminal, environment.out);
    }
    if (!report.node_ports.empty() || !report.remaps.empty())
        print_summary(report, environment.out);
}

}  // namespace

void add_status_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command =
        app.add_subcommand("status", "node ports, their pods, who takes new connections and why, flows, rates");
    const auto options = std::make_shared<StatusOptions>();
    command->add_flag("--json", options->json, "print JSON");
    add_bpffs_option(*command, options->bpffs);
    command->callback([options, &environment] { print_status(*options, environment); });
}

}  // namespace sallyport
