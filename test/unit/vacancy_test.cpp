// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Node ports that wait for their next pod.
#include "sallyport/error.hpp"
#include "sallyport/vanished.hpp"
#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

const AttachmentId a{"a", "eth0"};
const AttachmentId b{"b", "eth0"};

Binding holding(const std::string& id, const std::string& address, std::chrono::milliseconds hold)
{
    return binding(id, {exposure(80, address), remap(address, 81, 9080)}, {Share::spread, 0s, hold});
}

/// Tables with a clock that stands still until it is told.
struct VacancyFixture
{
    FakeTables tables;
    Instant now{100s};
    Bindings bindings{tables.references(), [this] { return now; }};

    std::optional<Instant> vacant_until() const
    {
        for (const NodePortEntry& entry : bindings.node_ports())
            if (entry.backends.empty())
                return entry.vacant_until;
        return std::nullopt;
    }

    /// Runs the step, killed after so many writes. True where it came to its end.
    template <typename Step>
    bool survives(unsigned writes, Step&& step)
    {
        bool survived = false;
        tables.lifetime.writes_left = writes;
        try {
            step();
            survived = true;
        } catch (const Killed&) {
        }
        tables.lifetime.writes_left.reset();
        return survived;
    }
};

/// The node port, its counters and its bit; a bit of a container port may stay.
const std::set<std::string> bits_while_vacant{"80 any_v4", "81 remapped", "9080 backend"};
const std::set<std::string> bits_afterwards{"81 remapped", "9080 backend"};

}  // namespace

TEST_CASE("a node port whose last pod wanted hold waits for that long, and then goes with all it had")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 15s));
    CHECK_FALSE(node.vacant_until());
    CHECK_FALSE(any_waits(node.tables.node_ports, node.now));

    node.bindings.unbind(a);
    REQUIRE(node.bindings.node_ports().size() == 1);  // the remap went with its pod
    CHECK(node.vacant_until() == node.now + 15s);
    CHECK(node.bindings.node_ports()[0].sharing == Sharing{Share::spread, 0s, 15s});
    CHECK(node.tables.entries() == 2);
    CHECK(uses(node.tables) == bits_while_vacant);
    CHECK(any_waits(node.tables.node_ports, node.now));
    CHECK(node.bindings.pods().empty());
    CHECK(node.bindings.holders_outside("kong").empty());  // anybody may have it

    node.now += 14999ms;
    node.bindings.forget_expired();
    CHECK(node.tables.entries() == 2);
    node.now += 1ms;
    CHECK_FALSE(any_waits(node.tables.node_ports, node.now));
    node.bindings.forget_expired();
    CHECK(node.tables.entries() == 0);
    CHECK(uses(node.tables) == bits_afterwards);
}

TEST_CASE("without hold nothing waits")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 0s));
    node.bindings.unbind(a);
    CHECK(node.tables.entries() == 0);
    CHECK(uses(node.tables) == bits_afterwards);
}

TEST_CASE("the hold of the last pod counts, and begins with its end")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 5s));
    node.bindings.bind(holding("b", "10.0.0.2", 20s));
    SECTION("the older goes last")
    {
        node.bindings.unbind(b);
        CHECK_FALSE(node.vacant_until());
        node.now += 30s;
        node.bindings.unbind(a);
        CHECK(node.vacant_until() == node.now + 5s);
    }
    SECTION("the younger goes last")
    {
        node.bindings.unbind(a);
        node.bindings.unbind(b);
        CHECK(node.vacant_until() == node.now + 20s);
    }
    SECTION("a later one that wants none ends it")
    {
        node.bindings.unbind(a);
        node.bindings.unbind(b);
        node.bindings.bind(holding("c", "10.0.0.3", 0s));
        node.bindings.unbind({"c", "eth0"});
        CHECK(node.tables.entries() == 0);
    }
}

TEST_CASE("the next pod takes a vacant node port over, counters and all")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 15s));
    abi::traffic counted{};
    counted.connections = 42;
    const abi::endpoint key = to_wire(exposure(80, "10.0.0.1").node_port);
    node.tables.traffic.put(key, {counted});
    abi::node_port entry = *node.tables.node_ports.find(key);
    entry.taker = 1;
    node.tables.node_ports.put(key, entry);
    node.bindings.unbind(a);

    Binding other = holding("b", "10.0.0.2", 15s);
    other.pod.pod_namespace = "kong";
    node.bindings.bind(other);
    CHECK(order(node.bindings, 80) == std::vector<std::uint64_t>{2});
    CHECK_FALSE(node.vacant_until());
    CHECK(node.bindings.missing_of(b).empty());
    CHECK(node.tables.traffic.find(key)->at(0).connections == 42);
    CHECK(node.tables.node_ports.find(key)->taker == 1);

    node.now += 60s;
    node.bindings.forget_expired();  // what it waited for has come
    CHECK(node.bindings.missing_of(b).empty());
}

TEST_CASE("a pod that vanished is waited for, too")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 15s));
    CHECK(forget_vanished_pods(node.bindings, [](const auto&) { return std::nullopt; }).size() == 1);
    CHECK(node.vacant_until() == node.now + 15s);
}

TEST_CASE("an ADD that fails leaves nothing, and a vacant node port as it was")
{
    for (const bool vacant : {false, true}) {
        CAPTURE(vacant);
        for (unsigned writes = 0; writes < 9; writes++) {
            CAPTURE(writes);
            VacancyFixture node;
            if (vacant) {
                node.bindings.bind(holding("a", "10.0.0.1", 15s));
                node.bindings.unbind(a);
                node.now += 5s;
            }
            node.tables.lifetime.fails_only = true;
            node.tables.lifetime.writes_left = writes;
            CHECK_THROWS_AS(node.bindings.bind(holding("b", "10.0.0.2", 60s)), Error);
            CHECK(node.tables.entries() == (vacant ? 2 : 0));
            CHECK(node.vacant_until() == (vacant ? std::optional(Instant(115s)) : std::nullopt));
        }
    }
}

TEST_CASE("killed after any write of unbind, the next one finishes it, and the node port waits")
{
    bool survived = false;
    for (unsigned writes = 0; !survived; writes++) {
        REQUIRE(writes < 100);
        VacancyFixture node;
        node.bindings.bind(holding("a", "10.0.0.1", 15s));
        survived = node.survives(writes, [&] { node.bindings.unbind(a); });

        INFO("killed after " << writes << " writes");
        CHECK(unannounced(node.tables).empty());
        node.bindings.unbind(a);
        CHECK(node.tables.entries() == 2);
        CHECK(node.vacant_until() == node.now + 15s);
        CHECK(uses(node.tables) == bits_while_vacant);
    }
}

TEST_CASE("killed after any write of forget_expired, the next one finishes it")
{
    bool survived = false;
    for (unsigned writes = 0; !survived; writes++) {
        REQUIRE(writes < 100);
        VacancyFixture node;
        node.bindings.bind(binding("a", {exposure(80, "10.0.0.1"), exposure_at("192.0.2.7", 443, "10.0.0.1")},
                                   {Share::newest, 0s, 15s}));
        node.bindings.unbind(a);
        CHECK(node.tables.entries() == 4);
        node.now += 15s;
        survived = node.survives(writes, [&] { node.bindings.forget_expired(); });

        INFO("killed after " << writes << " writes");
        node.bindings.forget_expired();
        CHECK(node.tables.entries() == 0);
        CHECK(uses(node.tables) == std::set<std::string>{"9080 backend"});
    }
}

TEST_CASE("killed after any write of bind, a vacant node port is neither lost nor anybody's")
{
    bool survived = false;
    for (unsigned writes = 0; !survived; writes++) {
        REQUIRE(writes < 100);
        VacancyFixture node;
        node.bindings.bind(holding("a", "10.0.0.1", 15s));
        node.bindings.unbind(a);
        survived = node.survives(writes, [&] { node.bindings.bind(holding("b", "10.0.0.2", 15s)); });

        INFO("killed after " << writes << " writes");
        CHECK(unannounced(node.tables).empty());
        node.bindings.unbind(b);
        CHECK(node.tables.entries() == 2);
        CHECK(node.vacant_until() == node.now + 15s);
    }
}

TEST_CASE("repair keeps what waits, and removes what has waited long enough")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 15s));
    node.bindings.unbind(a);
    for (const auto& [index, bits] : node.tables.port_uses.all())
        node.tables.port_uses.put(index, 0);
    node.now += 10s;
    node.bindings.repair();
    CHECK(node.vacant_until() == node.now + 5s);
    CHECK(uses(node.tables) == std::set<std::string>{"80 any_v4"});

    node.now += 5s;
    node.bindings.repair();
    CHECK(node.tables.entries() == 0);
    CHECK(uses(node.tables).empty());
}

TEST_CASE("all node ports are read only where one may be waiting")
{
    VacancyFixture node;
    CHECK(node.tables.meta.find(0).value_or(abi::meta{}).waiting == 0);
    node.bindings.bind(holding("a", "10.0.0.1", 15s));
    node.bindings.bind(holding("b", "10.0.0.2", 15s));
    node.bindings.unbind(a);
    CHECK(node.tables.meta.find(0)->waiting == 0);
    node.bindings.unbind(b);
    CHECK(node.tables.meta.find(0)->waiting == 1);

    node.bindings.forget_expired();
    CHECK(node.tables.meta.find(0)->waiting == 1);
    SECTION("its time is over")
    {
        node.now += 15s;
    }
    SECTION("a pod has come")
    {
        node.bindings.bind(holding("c", "10.0.0.3", 15s));
    }
    SECTION("meta was lost, and repaired")
    {
        node.tables.meta.erase(0);
        node.bindings.repair();
        node.now += 15s;
    }
    node.bindings.forget_expired();
    CHECK(node.tables.meta.find(0)->waiting == 0);
    CHECK(any_waits(node.tables.node_ports, node.now) == false);
    CHECK_FALSE(node.vacant_until());
}

TEST_CASE("counters without a node port are swept by repair")
{
    VacancyFixture node;
    node.bindings.bind(holding("a", "10.0.0.1", 15s));
    node.bindings.unbind(a);
    for (const auto& [key, entry] : node.tables.node_ports.all())
        node.tables.node_ports.erase(key);
    node.bindings.repair();
    CHECK(node.tables.entries() == 0);
}
