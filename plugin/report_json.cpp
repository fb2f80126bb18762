// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The report as JSON.
#include "sallyport/report.hpp"

#include <nlohmann/json.hpp>

namespace sallyport {

namespace {

using nlohmann::ordered_json;
using std::chrono::milliseconds;

ordered_json json_of(const std::optional<milliseconds>& duration)
{
    return duration ? ordered_json(duration->count()) : ordered_json();
}

/// What Kubernetes says; null where it says nothing.
ordered_json json_of(const std::optional<Word>& word, Instant now)
{
    if (!word)
        return {};
    const auto ready =
        word->readiness == Readiness::unknown ? ordered_json() : ordered_json(word->readiness == Readiness::ready);
    return {
        {"ready", ready},
        {"ending", word->ending},
        {"sinceMs", json_of(word->since ? std::optional(std::chrono::duration_cast<milliseconds>(now - *word->since))
                                        : std::nullopt)},
        {"reason", word->reason}};
}

ordered_json json_of(const PodReport& pod, Instant now)
{
    return {{"namespace", pod.pod_namespace},
            {"pod", pod.pod},
            {"containerID", pod.container_id},
            {"address", pod.backend.address.to_string()},
            {"containerPort", number(pod.backend.port)},
            {"listener", number(pod.candidate.listener.port)},
            {"listening", serves(pod.candidate)},
            {"listeningForMs", serves(pod.candidate) ? serving_for(pod.candidate, now).count() : 0},
            {"witness", witness_of(pod.candidate)},
            {"kubernetes", json_of(pod.candidate.word, now)},
            {"takesNew", pod.choice.takes_new},
            {"why", pod.choice.why},
            {"flows", pod.flows}};
}

void add_traffic(ordered_json& json, const Traffic& traffic)
{
    json["connectionsTotal"] = traffic.connections;
    json["handovers"] = traffic.handovers;
    json["held"] = traffic.held;
    json["packets"] = {{"fromClient", traffic.packets_from_client}, {"fromPod", traffic.packets_from_pod}};
    json["bytes"] = {{"fromClient", traffic.bytes_from_client}, {"fromPod", traffic.bytes_from_pod}};
}

ordered_json json_of(const NodePortReport& port, Instant now)
{
    ordered_json pods = ordered_json::array();
    for (const PodReport& pod : port.pods)
        pods.push_back(json_of(pod, now));
    ordered_json json{{"address", port.node_port.address.to_string()}, {"port", number(port.node_port.port)},
                      {"protocol", name(port.node_port.protocol)},     {"share", name(port.sharing.share)},
                      {"settleMs", port.sharing.settle.count()},       {"holdMs", port.sharing.hold.count()},
                      {"waitsForPodMs", json_of(port.waits_for)},      {"pods", pods}};
    add_traffic(json, port.traffic);
    json["rates"] = {{"connectionsPerSecond", port.rates.connections},
                     {"bytesPerSecondFromClient", port.rates.bytes_from_client},
                     {"bytesPerSecondFromPod", port.rates.bytes_from_pod}};
    return json;
}

ordered_json json_of(const RemapReport& remap, Instant)
{
    ordered_json json{{"namespace", remap.pod.pod_namespace},
                      {"pod", remap.pod.pod},
                      {"containerID", remap.pod.container_id},
                      {"address", remap.pod_port.address.to_string()},
                      {"port", number(remap.pod_port.port)},
                      {"protocol", name(remap.pod_port.protocol)},
                      {"containerPort", number(remap.pod.backend.port)},
                      {"listening", serves(remap.pod.candidate)},
                      {"flows", remap.pod.flows}};
    add_traffic(json, remap.traffic);
    return json;
}

ordered_json texts_of(const std::vector<Prefix>& prefixes)
{
    ordered_json texts = ordered_json::array();
    for (const Prefix& prefix : prefixes)
        texts.push_back(prefix.to_string());
    return texts;
}

/// All but the lists of ports, which are large.
ordered_json json_of_node(const NodeReport& report)
{
    ordered_json json{{"devices", report.devices},
                      {"addresses", texts_of(report.answered.prefixes())},
                      {"excludedAddresses", texts_of(report.answered.excluded)}};
    json["flows"] = {
        {"new", report.flows.fresh}, {"established", report.flows.established}, {"answered", report.flows.answered}};
    json["drops"] = report.drops;
    return json;
}

/// Names come from the runtime, and are as good as its UTF-8.
std::string text_of(const ordered_json& json, int indent)
{
    return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

template <typename Reports>
ordered_json array_of(const Reports& reports, Instant now)
{
    ordered_json array = ordered_json::array();
    for (const auto& report : reports)
        array.push_back(json_of(report, now));
    return array;
}

/// The text of array_of(), one element after the other: of 1,000 ports the values take ten times the memory of the
/// text.
template <typename Reports>
void append_array(std::string& text, const Reports& reports, Instant now)
{
    const char* before = "[";
    for (const auto& report : reports) {
        text += before + text_of(json_of(report, now), -1);
        before = ",";
    }
    text += reports.empty() ? "[]" : "]";
}

}  // namespace

std::string to_json(const NodeReport& report, bool indented)
{
    if (!indented) {
        std::string text = "{\"nodePorts\":";
        append_array(text, report.node_ports, report.sample.at);
        text += ",\"remaps\":";
        append_array(text, report.remaps, report.sample.at);
        return text + "," + text_of(json_of_node(report), -1).substr(1);
    }
    ordered_json json{{"nodePorts", array_of(report.node_ports, report.sample.at)},
                      {"remaps", array_of(report.remaps, report.sample.at)}};
    json.update(json_of_node(report));
    return text_of(json, 2);
}

}  // namespace sallyport
