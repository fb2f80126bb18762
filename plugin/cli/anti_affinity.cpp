// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/anti_affinity.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

namespace sallyport {

namespace {

constexpr std::size_t longest_label = 63;       // RFC 1123, a DNS label: a namespace's name
constexpr std::size_t longest_subdomain = 253;  // a workload's name

bool is_lower_or_digit(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
}

bool is_name(std::string_view text, std::size_t longest, std::string_view inside)
{
    return !text.empty() && text.size() <= longest && is_lower_or_digit(text.front()) &&
           is_lower_or_digit(text.back()) && std::ranges::all_of(text, [&](char character) {
               return is_lower_or_digit(character) || inside.find(character) != std::string_view::npos;
           });
}

/// `sallyport.dev/node-port-80`, and `-udp` behind a port of UDP.
std::string label_of(HostPort port, Protocol protocol)
{
    const std::string label = "sallyport.dev/node-port-" + std::to_string(number(port));
    return protocol == Protocol::tcp ? label : label + '-' + std::string(name(protocol));
}

std::vector<std::string> labels_of(const std::vector<Wish>& expose)
{
    std::set<std::pair<HostPort, Protocol>> ports;
    for (const Wish& wish : expose)
        ports.insert({wish.host_port, wish.protocol});
    std::vector<std::string> labels;
    for (const auto& [port, protocol] : ports)
        labels.push_back(label_of(port, protocol));
    return labels;
}

}  // namespace

std::optional<Workload> parse_workload(std::string_view text)
{
    static constexpr std::array<std::string_view, 3> kinds{"Deployment", "DaemonSet", "StatefulSet"};
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || !is_name(text.substr(slash + 1), longest_subdomain, "-."))
        return std::nullopt;
    const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
    const auto kind =
        std::ranges::find_if(kinds, [&](auto each) { return std::ranges::equal(text.substr(0, slash), each, same); });
    if (kind == kinds.end())
        return std::nullopt;
    return Workload{std::string(*kind), std::string(text.substr(slash + 1))};
}

bool is_namespace_name(std::string_view text)
{
    return is_name(text, longest_label, "-");
}

std::string anti_affinity_patch(const std::vector<Wish>& expose, const std::string& pod_namespace,
                                const std::optional<Workload>& workload)
{
    const std::vector<std::string> labels = labels_of(expose);
    std::string yaml;
    if (workload)
        yaml += "apiVersion: apps/v1\nkind: " + workload->kind + "\nmetadata:\n  name: \"" + workload->name +
                "\"\n  namespace: \"" + pod_namespace + "\"\n";
    yaml += "spec:\n  template:\n    metadata:\n      labels:\n";
    for (const std::string& label : labels)
        yaml += "        " + label + ": \"" + pod_namespace + "\"\n";
    yaml += "    spec:\n      affinity:\n        podAntiAffinity:\n"
            "          requiredDuringSchedulingIgnoredDuringExecution:\n";
    for (const std::string& label : labels)
        yaml += "            - topologyKey: kubernetes.io/hostname\n"
                "              namespaceSelector: {}\n"
                "              labelSelector:\n"
                "                matchExpressions:\n"
                "                  - { key: " +
                label +
                ", operator: Exists }\n"
                "                  - { key: " +
                label + ", operator: NotIn, values: [\"" + pod_namespace + "\"] }\n";
    return yaml;
}

}  // namespace sallyport
