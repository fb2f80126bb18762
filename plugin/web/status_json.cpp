// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "status_json.hpp"

#include "sallyport/abi.h"

#include <nlohmann/json.hpp>

#include <array>
#include <ctime>

namespace sallyport::web {

namespace {

using nlohmann::ordered_json;
using std::chrono::milliseconds;

/// RFC 3339, UTC, with milliseconds.
std::string time_text(std::chrono::system_clock::time_point time)
{
    const auto since_epoch = std::chrono::floor<milliseconds>(time.time_since_epoch());
    const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 64> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    const std::string fraction = std::to_string(1000 + since_epoch.count() % 1000);
    return std::string(text.data(), size) + "." + fraction.substr(1) + "Z";
}

std::string pod_name(const History& history, std::uint64_t generation)
{
    const auto pod = history.pods.find(generation);
    return pod == history.pods.end() ? "a pod that is gone" : pod->second;
}

ordered_json json_of(const Event& event, const History& history, const Origin& origin)
{
    const auto ago = std::chrono::duration_cast<std::chrono::system_clock::duration>(origin.steady - event.time);
    ordered_json json{{"number", event.number},
                      {"time", time_text(origin.wall - ago)},
                      {"kind", name(event.kind)},
                      {"nodePort", is_of_a_port(event) ? event.node_port.to_string() : ""}};
    switch (event.kind) {
    case EventKind::bind:
    case EventKind::unbind:
        json["pod"] = pod_name(history, event.pod);
        json["backend"] = event.peer.to_string();
        json["remap"] = event.node_port.scope == Scope::pod;
        break;
    case EventKind::handover:
        json["pod"] = pod_name(history, event.pod);
        json["from"] = pod_name(history, event.previous_pod);
        json["witness"] = event.reason;
        break;
    case EventKind::word:
        json["pod"] = pod_name(history, event.pod);
        json["word"] = event.reason;
        break;
    case EventKind::refusal:
        json["pod"] = pod_name(history, event.pod);
        json["outcome"] = event.reason;
        json["client"] = event.peer.to_string();
        break;
    case EventKind::reject:
        json["pod"] = event.pod_namespace + "/" + event.pod_name;
        json["reason"] = event.reason;
        break;
    case EventKind::drop:
        json["reason"] = event.reason;
        [[fallthrough]];
    case EventKind::hold:
        json["client"] = event.peer.to_string();
        break;
    }
    return json;
}

ordered_json json_of(const AgentState& agent, const BuildInfo& build)
{
    return {{"alive", agent.alive},           {"ready", agent.ready},
            {"problems", agent.problems},     {"conflicts", agent.conflicts.pods},
            {"reattached", agent.reattached}, {"version", build.version},
            {"commit", build.commit},         {"abi", SALLYPORT_ABI}};
}

std::string text_of(const ordered_json& json)
{
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string status_json(const Look& look, const History& history, const AgentState& agent, const Origin& origin)
{
    ordered_json events = ordered_json::array();
    for (const Event& event : history.events)
        events.push_back(json_of(event, history, origin));
    const ordered_json another_abi = look.another_abi ? ordered_json(*look.another_abi) : ordered_json();
    const ordered_json rates_over = look.rates_over ? ordered_json(look.rates_over->count()) : ordered_json();
    // The report is an object; it is large, so it isn't parsed again to get it a few more members.
    return "{\"node\":" + text_of(origin.node) + ",\"time\":" + text_of(time_text(origin.wall)) +
           ",\"agent\":" + text_of(json_of(agent, origin.build)) + ",\"events\":" + text_of(events) +
           ",\"tablesOfAnotherAbi\":" + text_of(another_abi) + ",\"ratesOverMs\":" + text_of(rates_over) + "," +
           to_json(look.report, false).substr(1);
}

}  // namespace sallyport::web
