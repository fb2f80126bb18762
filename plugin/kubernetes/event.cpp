// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"
#include "pods.hpp"
#include "target.hpp"

#include "sallyport/error.hpp"
#include "sallyport/kubernetes.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <ctime>

namespace sallyport {

namespace {

using kubernetes::Exchange;
using nlohmann::json;

constexpr std::size_t longest_note = 1024;  // as kubelet's own events
constexpr std::size_t longest_name = 253;

constexpr unsigned created = 201;
constexpr unsigned not_found = 404;
constexpr unsigned conflict = 409;
constexpr unsigned unprocessable = 422;
constexpr unsigned forbidden = 403;

/// FNV-1a: the same on each node, and in each version.
std::uint64_t digest(std::string_view text)
{
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char character : text)
        hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
    return hash;
}

std::string time_text(std::chrono::system_clock::time_point time)
{
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

/// No byte of a character that is cut.
std::string beginning(std::string text, std::size_t size)
{
    if (text.size() <= size)
        return text;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
        size--;
    return text.substr(0, size);
}

}  // namespace

std::string name_of_event(const PodEvent& event)
{
    std::array<char, 18> hex{};
    std::snprintf(hex.data(), hex.size(), ".%016llx",
                  static_cast<unsigned long long>(digest(event.pod_uid + '\n' + event.message)));
    return event.pod_name.substr(0, longest_name - hex.size() + 1) + hex.data();
}

std::string to_json(const PodEvent& event, const std::string& node, std::chrono::system_clock::time_point now)
{
    json pod{{"apiVersion", "v1"}, {"kind", "Pod"}, {"namespace", event.pod_namespace}, {"name", event.pod_name}};
    if (!event.pod_uid.empty())
        pod["uid"] = event.pod_uid;
    const json object{{"apiVersion", "v1"},
                      {"kind", "Event"},
                      {"metadata", {{"name", name_of_event(event)}, {"namespace", event.pod_namespace}}},
                      {"involvedObject", pod},
                      {"reason", event.reason},
                      {"message", beginning(event.message, longest_note)},
                      {"type", "Warning"},
                      {"count", 1},
                      {"firstTimestamp", time_text(now)},
                      {"lastTimestamp", time_text(now)},
                      {"source", {{"component", "sallyport"}, {"host", node}}}};
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

void post_event(const Cluster& cluster, const PodEvent& event, Instant until, int stop)
{
    const std::string target = "/api/v1/namespaces/" + kubernetes::percent_encoded(event.pod_namespace) + "/events";
    Exchange answer(cluster, {target, to_json(event, cluster.node, std::chrono::system_clock::now())}, {until, stop});
    const unsigned status = answer.status();
    if (status == created || status == conflict || status == not_found || status == unprocessable)
        return;  // or told before, or another attempt would be as vain
    const std::string message = kubernetes::read_message(answer);
    throw Error(
        status == forbidden ? Code::not_allowed : Code::io_failure,
        "the API server answers " + std::to_string(status) + (message.empty() ? "" : " (" + in_quotes(message) + ")") +
            (status == forbidden ? "; give our service account a ClusterRole with the verb create on events" : ""));
}

}  // namespace sallyport
