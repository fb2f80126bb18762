// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/bindings.hpp"

#include "sallyport/error.hpp"
#include "sallyport/records.hpp"
#include "sallyport/vanished.hpp"
#include "sallyport/wire.hpp"
#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

const Binding old_pod = binding("old", {exposure(80, "10.0.0.1"), exposure(443, "10.0.0.1", 9443)});
const Binding new_pod = binding("new", {exposure(80, "10.0.0.2"), exposure(8080, "10.0.0.2")});

}  // namespace

TEST_CASE("bind writes what unbind removes")
{
    FakeTables tables;
    Bindings bindings(tables.references());

    bindings.bind(old_pod);
    CHECK(bindings.exposures_of(old_pod.pod.id) == old_pod.exposures);
    CHECK(bindings.missing_of(old_pod.pod.id).empty());
    CHECK(bindings.knows(old_pod.pod.id));
    REQUIRE(bindings.pods().size() == 1);
    CHECK(bindings.pods()[0].pod() == "apisix/gateway-old");
    CHECK(bindings.pods()[0].netns == "/run/netns/old");

    CHECK(bindings.unbind(old_pod.pod.id));
    CHECK(tables.entries() == 0);
    CHECK_FALSE(bindings.unbind(old_pod.pod.id));
    CHECK_FALSE(bindings.knows(old_pod.pod.id));
}

TEST_CASE("the youngest pod stands first, and says how the port is shared")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    const Sharing theirs{Share::spread, 10s, 1500ms};
    bindings.bind(binding("new", {exposure(80, "10.0.0.2")}, theirs));

    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{2, 1});
    CHECK(bindings.node_ports()[0].sharing == theirs);

    SECTION("the old one goes")
    {
        bindings.unbind(old_pod.pod.id);
        CHECK(order(bindings, 80) == std::vector<std::uint64_t>{2});
        CHECK(order(bindings, 443).empty());
        CHECK(bindings.node_ports()[0].sharing == theirs);
    }
    SECTION("the young one goes, and its wishes with it")
    {
        bindings.unbind({"new", "eth0"});
        CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1});
        CHECK(bindings.node_ports()[0].sharing == Sharing{});
    }
}

TEST_CASE("a generation is never given twice")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    bindings.unbind(old_pod.pod.id);
    bindings.bind(old_pod);
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{2});
}

TEST_CASE("binding an attachment again replaces what it held")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    bindings.bind(binding("old", {exposure(81, "10.0.0.1")}));

    CHECK(order(bindings, 80).empty());
    CHECK(order(bindings, 81) == std::vector<std::uint64_t>{2});
    bindings.unbind(old_pod.pod.id);
    CHECK(tables.entries() == 0);
}

TEST_CASE("killed after any write of bind, unbind finds all and touches nobody else")
{
    unsigned survived = 0;
    for (unsigned writes = 0; survived == 0; writes++) {
        REQUIRE(writes < 100);
        FakeTables tables;
        Bindings bindings(tables.references());
        bindings.bind(old_pod);
        const std::size_t before = tables.entries();
        const std::set<std::string> used_before = uses(tables);

        tables.lifetime.writes_left = writes;
        try {
            bindings.bind(new_pod);
            survived++;
        } catch (const Killed&) {
        }
        tables.lifetime.writes_left.reset();

        INFO("killed after " << writes << " writes");
        CHECK(bindings.missing_of(old_pod.pod.id).empty());
        CHECK(unannounced(tables).empty());
        bindings.unbind(new_pod.pod.id);
        CHECK(tables.entries() == before);
        CHECK(uses(tables) == used_before);
        CHECK(bindings.missing_of(old_pod.pod.id).empty());
        CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1});
    }
}

TEST_CASE("killed after any write of unbind, the next one finishes it")
{
    unsigned survived = 0;
    for (unsigned writes = 0; survived == 0; writes++) {
        REQUIRE(writes < 100);
        FakeTables tables;
        Bindings bindings(tables.references());
        bindings.bind(old_pod);
        const std::size_t before = tables.entries();
        const std::set<std::string> used_before = uses(tables);
        bindings.bind(new_pod);
        CHECK(uses(tables) != used_before);

        tables.lifetime.writes_left = writes;
        try {
            bindings.unbind(new_pod.pod.id);
            survived++;
        } catch (const Killed&) {
        }
        tables.lifetime.writes_left.reset();

        INFO("killed after " << writes << " writes");
        CHECK(bindings.missing_of(old_pod.pod.id).empty());
        CHECK(unannounced(tables).empty());
        bindings.unbind(new_pod.pod.id);
        CHECK(tables.entries() == before);
        CHECK(uses(tables) == used_before);
        CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1});
    }
}

TEST_CASE("a backend that has a new owner is not removed by the old one")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    bindings.bind(binding("heir", {exposure(80, "10.0.0.1")}));  // the pod's address, given again

    bindings.unbind(old_pod.pod.id);
    CHECK(bindings.missing_of({"heir", "eth0"}).empty());
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{2});
}

TEST_CASE("missing_of names what somebody took away")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    CHECK(bindings.missing_of(old_pod.pod.id) == std::vector<std::string>{"the owner record"});

    bindings.bind(old_pod);
    tables.node_ports.erase(to_wire(old_pod.exposures[0].node_port));
    tables.backends.erase(to_wire(old_pod.exposures[1].backend));
    CHECK(bindings.missing_of(old_pod.pod.id) ==
          std::vector<std::string>{"node port 0.0.0.0:80/tcp", "backend 10.0.0.1:9443/tcp"});
}

TEST_CASE("a node port takes sixteen pods and refuses the next, changing nothing")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    for (int i = 0; i < abi::MAX_BACKENDS; i++)
        bindings.bind(binding("pod" + std::to_string(i), {exposure(80, "10.0.0." + std::to_string(i + 1))}));
    const std::size_t before = tables.entries();

    try {
        bindings.bind(binding("late", {exposure(443, "10.0.1.1"), exposure(80, "10.0.1.1")}));
        FAIL("the seventeenth pod was bound");
    } catch (const Error& error) {
        CHECK(error.code() == Code::port_taken);
        for (const char* const words : {"node port 0.0.0.0:80/tcp has 16 pods already", "maxUnavailable 1"})
            CHECK(std::string(error.what()).find(words) != std::string::npos);
    }
    CHECK(tables.entries() == before);

    bindings.bind(binding("pod3", {exposure(80, "10.0.0.4")}));  // one of the sixteen may come again
    CHECK(tables.entries() == before);
    CHECK(order(bindings, 80).size() == abi::MAX_BACKENDS);
}

TEST_CASE("a name that doesn't fit the record is refused, changing nothing")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    const std::size_t before = tables.entries();

    Binding long_name = old_pod;
    long_name.pod.pod_name = std::string(300, 'x');
    CHECK_THROWS_AS(bindings.bind(long_name), Error);
    Binding long_id = new_pod;
    long_id.pod.id.container_id = std::string(128, 'x');
    CHECK_THROWS_AS(bindings.bind(long_id), Error);

    CHECK(tables.entries() == before);
    CHECK(bindings.missing_of(old_pod.pod.id).empty());
    CHECK_FALSE(bindings.unbind(long_id.pod.id));
}

TEST_CASE("pods whose namespace is gone, or another by the same path, are forgotten")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    bindings.bind(new_pod);
    bindings.bind(binding("third", {exposure(80, "10.0.0.3")}));

    const auto vanished =
        forget_vanished_pods(bindings, [](const std::filesystem::path& path) -> std::optional<NetnsIdentity> {
            if (path == "/run/netns/old")
                return old_pod.netns_identity;
            if (path == "/run/netns/new")
                return NetnsIdentity{4, 1};  // the path leads to a younger namespace
            return std::nullopt;
        });

    REQUIRE(vanished.size() == 2);
    CHECK(bindings.pods().size() == 1);
    CHECK(bindings.missing_of(old_pod.pod.id).empty());
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1});
}

TEST_CASE("holders_outside names what pods of other namespaces hold, holders_within what those of one do")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    CHECK(bindings.holders_outside("apisix").empty());

    const auto holders = bindings.holders_outside("kong");
    REQUIRE(holders.size() == 2);
    CHECK(holders[0].node_port == old_pod.exposures[0].node_port);
    CHECK(holders[0].pod == "apisix/gateway-old");
    CHECK(holders[0].pod_namespace == "apisix");
    CHECK(holders[0].attachment == old_pod.pod.id);

    bindings.bind(binding("remapping", {remap("10.0.0.5", 80, 9080)}));
    CHECK(bindings.holders_outside("kong").size() == 2);
    CHECK(bindings.holders_within("apisix").size() == 2);
    CHECK(bindings.holders_within("kong").empty());
}

TEST_CASE("repair brings back what an owner record lists, and removes what has no owner")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    bindings.bind(binding("new", new_pod.exposures, {Share::spread}));
    const std::size_t before = tables.entries();

    SECTION("nothing is lost")
    {
        bindings.repair();
    }
    SECTION("node_ports, backends and traffic are lost")
    {
        for (const auto& [key, value] : tables.node_ports.all())
            tables.node_ports.erase(key);
        for (const auto& [key, value] : tables.backends.all())
            tables.backends.erase(key);
        for (const auto& [key, value] : tables.traffic.all())
            tables.traffic.erase(key);
        bindings.repair();
    }
    SECTION("meta is lost: no generation is given twice")
    {
        tables.meta.erase(0);
        bindings.repair();
        CHECK(tables.meta.find(0)->last_pod == 2);
    }
    CHECK(tables.entries() == before);
    CHECK(bindings.missing_of(old_pod.pod.id).empty());
    CHECK(bindings.missing_of(new_pod.pod.id).empty());
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{2, 1});
    CHECK(bindings.node_ports().front().sharing.share == Share::spread);
}

TEST_CASE("with the fast path, places on the node name the host's end of the pod's device, also after repair")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(binding("slow", {exposure(80, "10.0.0.1")}));
    Binding fast = binding("fast", {exposure(80, "10.0.0.2"), remap("10.0.0.2", 443, 9443)});
    fast.host_device = 12;
    fast.fast = true;
    bindings.bind(fast);

    const auto host_devices = [&](const Exposure& exposure) {
        std::vector<__u32> found;
        const auto entry = tables.node_ports.find(to_wire(exposure.node_port)).value_or(abi::node_port{});
        for (const abi::node_port_backend& place : places(entry))
            found.push_back(place.host_device);
        return found;
    };
    const auto check_places = [&] {
        CHECK(host_devices(fast.exposures[0]) == std::vector<__u32>{12, 0});
        CHECK(host_devices(fast.exposures[1]) == std::vector<__u32>{0});
    };
    check_places();
    for (const auto& [key, value] : tables.node_ports.all())
        tables.node_ports.erase(key);
    bindings.repair();
    check_places();
}

TEST_CASE("repair forgets a pod whose records aren't whole")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(old_pod);
    const std::size_t before = tables.entries();
    bindings.bind(new_pod);

    SECTION("the owner record is lost")
    {
        tables.pods.erase(*to_wire(new_pod.pod.id));
    }
    SECTION("a listed exposure is lost")
    {
        tables.pod_exposures.erase({2, 0, 0});
    }
    bindings.repair();
    CHECK(tables.entries() == before);
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1});
    CHECK_FALSE(bindings.knows(new_pod.pod.id));
}
