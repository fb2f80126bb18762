// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/runtime_config.hpp"

#include <strings.h>

namespace sallyport {
namespace {

/// A mapping's value for a key in any case; null counts as missing.
std::optional<JsonValue> find_in_any_case(const JsonValue& mapping, std::string_view wanted)
{
    std::optional<JsonValue> found;
    for (const auto& [key, value] : mapping.members()) {
        if (key.size() != wanted.size() || strncasecmp(key.data(), wanted.data(), key.size()) != 0 || value.is_null())
            continue;
        if (found)
            value.refuse("one " + std::string(wanted) + ", but " + found->pointer() + " is there too");
        found = value;
    }
    return found;
}

std::uint16_t read_port(const JsonValue& value, std::uint16_t lowest)
{
    return static_cast<std::uint16_t>(value.integer(lowest, 65535));
}

std::optional<PortMapping> read_port_mapping(const JsonValue& value)
{
    // The host port first: of a port without one, nothing else is our business, not even its protocol
    const auto host_port = find_in_any_case(value, "hostPort");
    PortMapping mapping;
    mapping.host_port = HostPort{host_port ? read_port(*host_port, 0) : std::uint16_t{0}};
    if (number(mapping.host_port) == 0)
        return std::nullopt;

    const auto pod_port = find_in_any_case(value, "containerPort");
    if (!pod_port)
        value.refuse("an object with a containerPort beside its hostPort");
    mapping.pod_port = PodPort{read_port(*pod_port, 1)};

    const auto protocol = find_in_any_case(value, "protocol");
    if (protocol && !protocol->string().empty()) {
        const auto parsed = parse_protocol(protocol->string());
        if (!parsed)
            protocol->refuse("another protocol: " + why_no_protocol(protocol->string()));
        mapping.protocol = *parsed;
    }

    const auto host_ip = find_in_any_case(value, "hostIP");
    if (host_ip && !host_ip->string().empty()) {
        mapping.host_address = Address::parse(host_ip->string());
        if (!mapping.host_address)
            host_ip->refuse("an IP address");
    }
    return mapping;
}

}  // namespace

std::map<std::string, std::string> read_pod_annotations(const JsonValue& runtime_config)
{
    std::map<std::string, std::string> annotations;
    if (const auto list = runtime_config.find_set(annotations_capability))
        for (const auto& [key, value] : list->members())
            annotations.emplace(key, value.string());
    return annotations;
}

std::vector<PortMapping> read_port_mappings(const JsonValue& runtime_config)
{
    std::vector<PortMapping> mappings;
    if (const auto list = runtime_config.find_set(port_mappings_capability))
        for (const JsonValue& element : list->elements())
            if (const auto mapping = read_port_mapping(element))
                mappings.push_back(*mapping);
    return mappings;
}

}  // namespace sallyport
