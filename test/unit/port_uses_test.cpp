// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the datapath is told about port numbers.
#include "sallyport/port_uses.hpp"

#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;

using UseTexts = std::set<std::string>;

TEST_CASE("a port has the bit of its address, and the container port one of its own")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    Exposure udp = exposure_at("::", 443, "fd00::1");
    udp.node_port.protocol = udp.backend.protocol = Protocol::udp;
    bindings.bind(binding("a", {exposure(80, "10.0.0.1"), udp, exposure_at("192.0.2.7", 81, "10.0.0.1"),
                                exposure_at("2001:db8::7", 82, "fd00::1")}));
    CHECK(uses(tables) ==
          UseTexts{"80 any_v4", "443/udp any_v6", "81 exact_v4", "82 exact_v6", "9080 backend", "9080/udp backend"});

    bindings.unbind({"a", "eth0"});
    CHECK(uses(tables) == UseTexts{"9080 backend", "9080/udp backend"});
}

TEST_CASE("the bit of a port goes with its last pod")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(binding("a", {exposure(80, "10.0.0.1")}));
    bindings.bind(binding("b", {exposure(80, "10.0.0.2"), exposure_at("::", 80, "fd00::2")}));
    bindings.unbind({"a", "eth0"});
    CHECK(uses(tables) == UseTexts{"80 any_v4", "80 any_v6", "9080 backend"});
    bindings.unbind({"b", "eth0"});
    CHECK(uses(tables) == UseTexts{"9080 backend"});
}

TEST_CASE("exact addresses share a bit until the last of them goes")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(binding("a", {exposure_at("192.0.2.7", 80, "10.0.0.1"), exposure_at("192.0.2.8", 80, "10.0.0.1")}));
    bindings.bind(binding("b", {exposure_at("192.0.2.9", 80, "10.0.0.2"), exposure_at("2001:db8::9", 80, "fd00::2")}));

    bindings.unbind({"a", "eth0"});
    CHECK(uses(tables) == UseTexts{"80 exact_v4", "80 exact_v6", "9080 backend"});
    bindings.bind(binding("b", {exposure_at("192.0.2.9", 80, "10.0.0.2")}));
    CHECK(uses(tables) == UseTexts{"80 exact_v4", "9080 backend"});
    bindings.unbind({"b", "eth0"});
    CHECK(uses(tables) == UseTexts{"9080 backend"});
}

TEST_CASE("missing_of names the port whose bit is gone")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(binding("a", {exposure(80, "10.0.0.1")}));
    CHECK(bindings.missing_of({"a", "eth0"}).empty());
    tables.port_uses.put(abi::port_use_index(6, 80), 0);
    CHECK(bindings.missing_of({"a", "eth0"}) == std::vector<std::string>{"node port 0.0.0.0:80/tcp"});
    tables.port_uses.put(abi::port_use_index(6, 9080), 0);
    CHECK(bindings.missing_of({"a", "eth0"}) ==
          std::vector<std::string>{"backend 10.0.0.1:9080/tcp", "node port 0.0.0.0:80/tcp"});
}

TEST_CASE("repair sets the bits that are lost and clears those of nobody")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(binding("gone", {exposure(443, "10.0.0.1", 9443), exposure_at("192.0.2.7", 80, "10.0.0.1")}));
    bindings.bind(binding("a", {exposure(80, "10.0.0.2"), remap("10.0.0.2", 81, 9080)}));
    tables.pods.erase(*to_wire(AttachmentId{"gone", "eth0"}));
    tables.port_uses.put(abi::port_use_index(6, 80), 0);
    tables.port_uses.put(abi::port_use_index(17, 53), ~0U);

    bindings.repair();
    CHECK(uses(tables) == UseTexts{"80 any_v4", "81 remapped", "9080 backend"});
    CHECK(bindings.missing_of({"a", "eth0"}).empty());
}

TEST_CASE("whoever repairs and is killed leaves no port unannounced that was announced before")
{
    for (unsigned writes = 0, survived = 0; survived == 0; writes++) {
        REQUIRE(writes < 100);
        FakeTables tables;
        Bindings bindings(tables.references());
        bindings.bind(binding("gone", {exposure_at("192.0.2.7", 80, "10.0.0.1"), exposure(443, "10.0.0.1")}));
        bindings.bind(binding("a", {exposure_at("192.0.2.8", 80, "10.0.0.2")}));
        tables.pods.erase(*to_wire(AttachmentId{"gone", "eth0"}));
        tables.backends.erase(to_wire(exposure(80, "10.0.0.2").backend));

        tables.lifetime.writes_left = writes;
        try {
            bindings.repair();
            survived++;
        } catch (const Killed&) {
        }
        tables.lifetime.writes_left.reset();

        INFO("killed after " << writes << " writes");
        CHECK(unannounced(tables).empty());
        bindings.repair();
        CHECK(uses(tables) == UseTexts{"80 exact_v4", "9080 backend"});
        CHECK(bindings.missing_of({"a", "eth0"}).empty());
    }
}
