// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods for the tests of bindings.cpp, and what the tables say about them.
#pragma once

#include "sallyport/bindings.hpp"
#include "sallyport/wire.hpp"
#include "support/fake_tables.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::test {

inline Exposure exposure(std::uint16_t host_port, const std::string& pod_address, std::uint16_t pod_port = 9080)
{
    return {{Address::any_v4(), HostPort{host_port}, Protocol::tcp},
            {*Address::parse(pod_address), PodPort{pod_port}, Protocol::tcp}};
}

inline Exposure exposure_at(const std::string& node_address, std::uint16_t host_port, const std::string& pod_address)
{
    Exposure made = exposure(host_port, pod_address);
    made.node_port.address = *Address::parse(node_address);
    return made;
}

inline Exposure remap(const std::string& pod_address, std::uint16_t pod_port, std::uint16_t container_port)
{
    Exposure made = exposure(pod_port, pod_address, container_port);
    made.node_port.address = made.backend.address;
    made.node_port.scope = Scope::pod;
    return made;
}

inline Binding binding(const std::string& id, std::vector<Exposure> exposures, Sharing sharing = {})
{
    Binding made;
    made.pod.id = {id, "eth0"};
    made.pod.network = "cilium";
    made.pod.pod_namespace = "apisix";
    made.pod.pod_name = "gateway-" + id;
    made.pod.netns = "/run/netns/" + id;
    made.netns_identity = {4, 4026530000 + id.size()};
    made.netns_id = 7;
    made.sharing = sharing;
    made.exposures = std::move(exposures);
    return made;
}

/// Generations behind a node port, youngest first.
inline std::vector<std::uint64_t> order(const Bindings& bindings, std::uint16_t host_port)
{
    std::vector<std::uint64_t> generations;
    for (const NodePortEntry& entry : bindings.node_ports())
        if (entry.node_port.port == HostPort{host_port})
            for (const NodePortBackend& backend : entry.backends)
                generations.push_back(backend.generation);
    return generations;
}

/// The bits of port_uses, as "80 any_v4".
inline std::set<std::string> uses(const FakeTables& tables)
{
    static const std::vector<std::pair<__u32, std::string>> names{
        {abi::PORT_ANY_V4, "any_v4"},     {abi::PORT_ANY_V6, "any_v6"},      {abi::PORT_EXACT_V4, "exact_v4"},
        {abi::PORT_EXACT_V6, "exact_v6"}, {abi::PORT_OF_BACKEND, "backend"}, {abi::PORT_REMAPPED, "remapped"}};
    std::set<std::string> found;
    for (const auto& [index, bits] : tables.port_uses.all())
        for (const auto& [bit, name] : names)
            if ((bits & bit) != 0)
                found.insert(std::to_string(index % 65536) + (index < 65536 ? " " : "/udp ") + name);
    return found;
}

/// Node ports with a pod that the datapath would never look at.
inline std::vector<std::string> unannounced(FakeTables& tables)
{
    const PortUses uses(tables.port_uses);
    std::vector<std::string> found;
    for (const auto& [key, entry] : tables.node_ports.all())
        if (entry.count > 0 && !uses.has(use_of(node_port_from_wire(key))))
            found.push_back(node_port_from_wire(key).to_string());
    return found;
}

}  // namespace sallyport::test
