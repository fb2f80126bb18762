// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli.hpp"
#include "sallyport/report.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <ostream>

namespace sallyport {

namespace {

using nlohmann::ordered_json;

constexpr std::chrono::milliseconds rate_interval{500};

ordered_json to_json(const PodReport& pod)
{
    return {{"namespace", pod.pod_namespace},
            {"pod", pod.pod},
            {"containerID", pod.container_id},
            {"address", pod.backend.address.to_string()},
            {"containerPort", number(pod.backend.port)},
            {"listening", pod.listening},
            {"takesNew", pod.takes_new},
            {"why", pod.why},
            {"flows", pod.flows}};
}

ordered_json to_json(const NodePortReport& port)
{
    ordered_json pods = ordered_json::array();
    for (const PodReport& pod : port.pods)
        pods.push_back(to_json(pod));
    return {{"address", port.node_port.address.to_string()},
            {"port", number(port.node_port.port)},
            {"protocol", name(port.node_port.protocol)},
            {"share", name(port.share)},
            {"pods", pods},
            {"connectionsTotal", port.traffic.connections},
            {"packets", {{"fromClient", port.traffic.packets_from_client}, {"fromPod", port.traffic.packets_from_pod}}},
            {"bytes", {{"fromClient", port.traffic.bytes_from_client}, {"fromPod", port.traffic.bytes_from_pod}}},
            {"rates",
             {{"connectionsPerSecond", port.rates.connections},
              {"bytesPerSecondFromClient", port.rates.bytes_from_client},
              {"bytesPerSecondFromPod", port.rates.bytes_from_pod}}}};
}

ordered_json to_json(const NodeReport& report)
{
    ordered_json json{
        {"nodePorts", ordered_json::array()}, {"devices", report.devices}, {"addresses", ordered_json::array()}};
    for (const NodePortReport& port : report.node_ports)
        json["nodePorts"].push_back(to_json(port));
    for (const Prefix& prefix : report.addresses)
        json["addresses"].push_back(prefix.to_string());
    json["flows"] = {{"new", report.flows.fresh}, {"established", report.flows.established}};
    json["drops"] = report.drops;
    return json;
}

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

using Row = std::array<std::string, 9>;

Row row_of(const NodePortReport& port, const PodReport& pod, bool first)
{
    const std::string pod_name = pod.pod_namespace.empty() ? pod.pod : pod.pod_namespace + "/" + pod.pod;
    return {first ? port.node_port.to_string() : "",
            first ? std::string(name(port.share)) : "",
            pod_name,
            bracketed(pod.backend.address) + ":" + std::to_string(number(pod.backend.port)),
            pod.takes_new ? "yes" : "no",
            pod.why,
            std::to_string(pod.flows),
            first ? fmt::format("{:.0f}/s", port.rates.connections) : "",
            first ? human_rate(port.rates.bytes_from_client) + " in, " + human_rate(port.rates.bytes_from_pod) + " out"
                  : ""};
}

constexpr std::size_t takes_new_column = 4;
constexpr const char* green = "\x1b[32m";
constexpr const char* yellow = "\x1b[33m";
constexpr const char* bold = "\x1b[1m";
constexpr const char* plain = "\x1b[0m";

void print_row(const Row& row, const std::array<std::size_t, 9>& widths, const char* colour_of_row, bool terminal,
               std::ostream& out)
{
    std::string line;
    for (std::size_t i = 0; i < row.size(); i++) {
        const bool last = i + 1 == row.size();
        std::string cell = last ? row[i] : fmt::format("{:<{}}", row[i], widths[i] + 2);
        if (terminal && i == takes_new_column && colour_of_row != bold)
            cell = (row[i] == "yes" ? green : yellow) + cell + plain;
        line += cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << (terminal ? colour_of_row : "") << line << (terminal ? plain : "") << '\n';
}

void print_table(const NodeReport& report, bool terminal, std::ostream& out)
{
    const Row header{"NODE PORT", "SHARE", "POD", "BACKEND", "TAKES NEW", "WHY", "FLOWS", "NEW", "TRAFFIC"};
    std::vector<Row> rows;
    for (const NodePortReport& port : report.node_ports)
        for (std::size_t i = 0; i < port.pods.size(); i++)
            rows.push_back(row_of(port, port.pods[i], i == 0));

    std::array<std::size_t, 9> widths{};
    for (std::size_t i = 0; i < widths.size(); i++)
        widths[i] =
            std::accumulate(rows.begin(), rows.end(), header[i].size(),
                            [&](std::size_t widest, const Row& row) { return std::max(widest, row[i].size()); });
    print_row(header, widths, bold, terminal, out);
    for (const Row& row : rows)
        print_row(row, widths, "", terminal, out);
}

void print_summary(const NodeReport& report, std::ostream& out)
{
    std::string devices;
    for (const std::string& device : report.devices)
        devices += (devices.empty() ? "" : ", ") + device;
    out << "\non " << (devices.empty() ? "no device: new ADDs attach" : devices) << "; " << report.flows.established
        << " established and " << report.flows.fresh << " new flows";
    for (const auto& [reason, packets] : report.drops)
        if (packets > 0)
            out << "; " << packets << " packets dropped (" << reason << ")";
    out << '\n';
}

}  // namespace

void print_status(const StatusOptions& options, const Environment& environment)
{
    Paths paths;
    paths.bpffs = options.bpffs;
    const auto datapath = Datapath::find(paths);
    const NodeReport report = datapath ? report_node(*datapath, rate_interval) : NodeReport{};
    if (options.json) {
        environment.out << to_json(report).dump(2) << '\n';
        return;
    }
    if (report.node_ports.empty()) {
        environment.out << "No pod holds a port of this node.\n";
        return;
    }
    print_table(report, environment.terminal, environment.out);
    print_summary(report, environment.out);
}

}  // namespace sallyport
