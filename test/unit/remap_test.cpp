// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Remaps in the tables: exposures of a port of the pod itself.
#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>

using namespace sallyport;
using namespace sallyport::test;

namespace {

abi::node_port_backend place_at(const FakeTables& tables, const Exposure& exposure)
{
    const auto entry = tables.node_ports.find(to_wire(exposure.node_port));
    REQUIRE(entry);
    REQUIRE(entry->count == 1);
    return entry->backends[0];
}

}  // namespace

TEST_CASE("a remap is held, found and removed as an exposure is")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    const Binding pod = binding("a", {remap("10.0.0.1", 80, 9080), remap("10.0.0.1", 443, 9443)});
    bindings.bind(pod);

    CHECK(bindings.exposures_of(pod.pod.id) == pod.exposures);
    CHECK(bindings.missing_of(pod.pod.id).empty());
    CHECK(uses(tables) == std::set<std::string>{"80 remapped", "443 remapped", "9080 backend", "9443 backend"});
    REQUIRE(bindings.node_ports().size() == 2);
    CHECK(bindings.node_ports()[0].node_port == pod.exposures[0].node_port);

    CHECK(bindings.unbind(pod.pod.id));
    CHECK(tables.entries() == 0);
}

TEST_CASE("the node's programs ask in the pod's namespace, the pod's own in theirs")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    const Exposure exposed = exposure(8000, "10.0.0.1");
    const Exposure remapped = remap("10.0.0.1", 80, 9080);
    bindings.bind(binding("a", {exposed, remapped}));

    CHECK(place_at(tables, exposed).netns == 7);
    CHECK(place_at(tables, remapped).netns == static_cast<__u32>(-1));
    CHECK(tables.backends.find(to_wire(remapped.backend))->netns == 7);
    CHECK(tables.backends.find(to_wire(exposed.backend))->listener == htons(9080));
}

TEST_CASE("a key names its scope, a backend's doesn't")
{
    const Exposure remapped = remap("10.0.0.1", 80, 9080);
    CHECK(to_wire(remapped.node_port).scope == abi::AT_POD);
    CHECK(to_wire(remapped.backend).scope == 0);
    CHECK(node_port_from_wire(to_wire(remapped.node_port)) == remapped.node_port);

    NodePort at_node = remapped.node_port;
    at_node.scope = Scope::node;
    CHECK(to_wire(at_node).scope == abi::AT_NODE);
    CHECK(node_port_from_wire(to_wire(at_node)) == at_node);
}

TEST_CASE("where a pod remaps the port that it exposes, its socket listens at the remap's end")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    const Exposure exposed = exposure(80, "10.0.0.1", 80);
    const Exposure remapped = remap("10.0.0.1", 80, 9080);
    const Exposure other = exposure(443, "10.0.0.1", 9443);
    Exposure of_udp = exposure(80, "10.0.0.1", 80);
    of_udp.node_port.protocol = of_udp.backend.protocol = Protocol::udp;
    bindings.bind(binding("a", {exposed, remapped, other, of_udp}));
    const std::size_t before = tables.entries();

    for (const bool repaired : {false, true}) {
        CAPTURE(repaired);
        if (repaired) {
            for (const auto& [key, entry] : tables.node_ports.all())
                tables.node_ports.erase(key);
            for (const auto& [key, entry] : tables.backends.all())
                tables.backends.erase(key);
            bindings.repair();
            CHECK(tables.entries() == before);
        }
        CHECK(place_at(tables, exposed).port == htons(80));
        CHECK(place_at(tables, exposed).listener == htons(9080));
        CHECK(place_at(tables, remapped).listener == htons(9080));
        CHECK(place_at(tables, remapped).netns == static_cast<__u32>(-1));
        CHECK(place_at(tables, other).listener == htons(9443));
        CHECK(place_at(tables, of_udp).listener == htons(80));
        CHECK(tables.backends.find(to_wire(exposed.backend))->listener == htons(9080));
        CHECK(tables.backends.find(to_wire(remapped.backend))->listener == htons(9080));
    }
    for (const NodePortEntry& entry : bindings.node_ports())
        if (entry.node_port == exposed.node_port)
            CHECK(entry.backends.at(0).listener == PodPort{9080});
}

TEST_CASE("missing_of names a remap by its port")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    const Exposure remapped = remap("10.0.0.1", 80, 9080);
    bindings.bind(binding("a", {remapped}));
    tables.node_ports.erase(to_wire(remapped.node_port));
    CHECK(bindings.missing_of({"a", "eth0"}) == std::vector<std::string>{"remapped port 10.0.0.1:80/tcp"});
}

TEST_CASE("since when a backend listens is read from where the datapath notes it")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    const Exposure exposed = exposure(80, "10.0.0.1");
    bindings.bind(binding("a", {exposed}));
    CHECK_FALSE(bindings.node_ports()[0].backends.at(0).seen.listening_since);

    abi::backend backend = *tables.backends.find(to_wire(exposed.backend));
    backend.listening_since = 5'000'000'000;
    tables.backends.put(to_wire(exposed.backend), backend);
    CHECK(bindings.node_ports()[0].backends.at(0).seen.listening_since == Instant(std::chrono::seconds(5)));

    bindings.repair();  // which takes nothing away that is right
    CHECK(bindings.node_ports()[0].backends.at(0).seen.listening_since == Instant(std::chrono::seconds(5)));
}
