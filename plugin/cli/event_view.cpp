// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/event_view.hpp"

#include "sallyport/cli/status_view.hpp"
#include "sallyport/cli/text.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <ctime>

namespace sallyport {

namespace {

using nlohmann::ordered_json;

std::tm parts_of(WallTime when, std::tm* (*split)(const std::time_t*, std::tm*))
{
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(when));
    std::tm parts{};
    split(&seconds, &parts);
    return parts;
}

long milliseconds_of(WallTime when)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(when);
    return std::chrono::floor<std::chrono::milliseconds>(when - whole).count();
}

Tone tone_of(EventKind kind)
{
    switch (kind) {
    case EventKind::bind:
        return Tone::good;
    case EventKind::unbind:
        return Tone::dim;
    case EventKind::handover:
        return Tone::accent;
    case EventKind::hold:
    case EventKind::refusal:
        return Tone::warning;
    case EventKind::drop:
    case EventKind::reject:
        return Tone::bad;
    case EventKind::word:
        return Tone::accent;
    }
    return Tone::plain;
}

/// "-" where it is about no port.
std::string port_of(const Event& event)
{
    return is_of_a_port(event) ? short_name(event.node_port) : "-";
}

/// Of a handover: ", which listens".
std::string by_witness(const Event& event)
{
    return event.reason == "socket" ? ", which listens" : event.reason == "answer" ? ", which answers" : "";
}

std::string story_of(const Event& event, const EventNames& names, const Screen& screen)
{
    switch (event.kind) {
    case EventKind::bind:
    case EventKind::unbind:
        return names.of(event.pod) + " at " + address_and_port(event.peer);
    case EventKind::handover:
        return names.of(event.previous_pod) + " " + std::string(screen.arrow()) + " " + names.of(event.pod) +
               by_witness(event);
    case EventKind::hold:
        return "from " + address_and_port(event.peer) + ", waits for a pod that serves";
    case EventKind::drop:
        return "from " + address_and_port(event.peer) + ", " + event.reason;
    case EventKind::word:
        return names.of(event.pod) + " is " + event.reason + ", Kubernetes says";
    case EventKind::refusal:
        return names.of(event.pod) + " refused " + address_and_port(event.peer) +
               (event.reason == "kept" ? ", who isn't told and asks again" : ", who is told");
    case EventKind::reject:
        return event.pod_namespace + "/" + event.pod_name + " was refused: " + event.reason +
               "; `kubectl describe pod` says more";
    }
    return {};
}

ordered_json pod_json(const EventNames& names, std::uint64_t generation)
{
    return {{"name", names.of(generation)}, {"generation", generation}};
}

}  // namespace

bool EventFollower::is_another_table(const std::vector<Event>& found) const
{
    if (last_ == 0)
        return false;
    if (found.empty())
        return true;
    return found.front().number == last_ && time_of_last_ && found.front().time != *time_of_last_;
}

EventFollower::News EventFollower::take(std::vector<Event> found, bool final)
{
    News news;
    if (is_another_table(found)) {
        *this = EventFollower(0);
        news.anew = true;
        return news;
    }
    const std::uint64_t lacked = lacking_;
    lacking_ = 0;
    for (Event& event : found) {
        if (event.number <= last_) {
            time_of_last_ = event.time;
            continue;
        }
        if (last_ > 0 && event.number > last_ + 1) {
            if (!final && lacked != last_ + 1) {
                lacking_ = last_ + 1;
                return news;
            }
            news.missed += event.number - last_ - 1;
        }
        last_ = event.number;
        time_of_last_ = event.time;
        news.events.push_back(std::move(event));
    }
    return news;
}

void EventNames::learn(const Event& event)
{
    if (!event.pod_name.empty())
        learn(event.pod, event.pod_namespace.empty() ? event.pod_name : event.pod_namespace + "/" + event.pod_name);
}

std::string EventNames::of(std::uint64_t generation) const
{
    const auto name = names_.find(generation);
    return name == names_.end() ? "pod #" + std::to_string(generation) : name->second;
}

void EventLines::make_room(const Event& event)
{
    constexpr std::size_t at_most =
        24;  // an IPv6 address and port would take half of a terminal's line from all others
    port_width_ = std::min(at_most, std::max(port_width_, display_width(port_of(event))));
}

std::string EventLines::render(const Event& event, WallTime when, const EventNames& names, const Screen& screen) const
{
    const std::tm time = parts_of(when, ::localtime_r);
    const std::string clock =
        fmt::format("{:02}:{:02}:{:02}.{:03}", time.tm_hour, time.tm_min, time.tm_sec, milliseconds_of(when));
    const std::string kind = fmt::format("{:<8}", name(event.kind));
    const std::string port = fmt::format("{:<{}}", port_of(event), port_width_);
    const std::size_t indent = clock.size() + kind.size() + port.size() + 6;
    const std::string story = printable(story_of(event, names, screen));

    std::string lines;
    for (const std::string& part :
         screen.width > indent + 16 ? wrapped(story, screen.width - indent) : std::vector<std::string>{story})
        lines += (lines.empty() ? screen.paint(clock, Tone::dim) + "  " + screen.paint(kind, tone_of(event.kind)) +
                                      "  " + port + "  "
                                : std::string(indent, ' ')) +
                 part + '\n';
    return lines;
}

std::string day_of(WallTime when)
{
    const std::tm day = parts_of(when, ::localtime_r);
    return fmt::format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

std::string to_json(const Event& event, WallTime when, const EventNames& names)
{
    const std::tm utc = parts_of(when, ::gmtime_r);
    ordered_json json{
        {"number", event.number},
        {"time", fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                             utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, milliseconds_of(when))},
        {"kind", name(event.kind)}};
    if (event.kind == EventKind::word) {
        json["pod"] = pod_json(names, event.pod);
        json["word"] = event.reason;
        return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    }
    if (event.kind == EventKind::reject) {
        json["pod"] = {{"name", event.pod_namespace + "/" + event.pod_name}};
        json["reason"] = event.reason;
        return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    }
    json["scope"] = event.node_port.scope == Scope::pod ? "pod" : "node";
    json["address"] = event.node_port.address.to_string();
    json["port"] = number(event.node_port.port);
    json["protocol"] = name(event.node_port.protocol);
    const bool binds = event.kind == EventKind::bind || event.kind == EventKind::unbind;
    if (binds || event.kind == EventKind::handover || event.kind == EventKind::refusal)
        json["pod"] = pod_json(names, event.pod);
    if (event.kind == EventKind::handover) {
        json["previousPod"] = pod_json(names, event.previous_pod);
        json["witness"] = event.reason;
    } else {
        json[binds ? "backend" : "client"] = address_and_port(event.peer);
    }
    if (event.kind == EventKind::refusal)
        json["outcome"] = event.reason;
    if (event.kind == EventKind::drop)
        json["reason"] = event.reason;
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string json_of_missed(std::uint64_t missed)
{
    return ordered_json{{"kind", "missed"}, {"events", missed}}.dump();
}

}  // namespace sallyport
