// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tables say of pods that are gone, and of pods that are older than their binding.
#include "sallyport/bindings.hpp"
#include "sallyport/vanished.hpp"
#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

/// Exposes port 80, and was made so long after 1970.
Binding made_at(std::chrono::nanoseconds moment, const std::string& id, const std::string& address)
{
    Binding made = binding(id, {exposure(80, address)});
    made.pod.made_at = moment;
    return made;
}

const std::vector<Address> first_address{*Address::parse("10.0.0.1")};

std::vector<std::string> bound_names(const std::vector<BoundPod>& pods)
{
    std::vector<std::string> names;
    for (const BoundPod& pod : pods)
        names.push_back(pod.id.container_id);
    return names;
}

}  // namespace

TEST_CASE("pods stand in the order in which they were made, not bound")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(made_at(20s, "young", "10.0.0.1"));
    bindings.bind(made_at(10s, "old", "10.0.0.2"));
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1, 2});
    bindings.bind(made_at(15s, "middle", "10.0.0.3"));
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{1, 3, 2});
    bindings.bind(made_at(20s, "as-young", "10.0.0.4"));
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{4, 1, 3, 2});

    SECTION("also after the table was lost")
    {
        for (const auto& [key, entry] : tables.node_ports.all())
            tables.node_ports.erase(key);
        bindings.repair();
        CHECK(order(bindings, 80) == std::vector<std::uint64_t>{4, 1, 3, 2});
    }
    SECTION("and one of which nobody knows that is the oldest")
    {
        bindings.bind(made_at(0s, "unknown", "10.0.0.5"));
        CHECK(order(bindings, 80) == std::vector<std::uint64_t>{4, 1, 3, 2, 5});
    }
}

TEST_CASE("a pod that is being made is the youngest, whatever the clock says")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    const auto tomorrow = std::chrono::system_clock::now().time_since_epoch() + 24h;  // then the clock was set back
    bindings.bind(made_at(tomorrow, "first", "10.0.0.1"));
    bindings.bind(binding("next", {exposure(80, "10.0.0.2")}));
    bindings.bind(binding("last", {exposure(80, "10.0.0.3")}));
    bindings.bind(made_at(tomorrow, "adopted", "10.0.0.4"));
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{3, 2, 4, 1});
}

TEST_CASE("a gone pod holds nothing, and is forgotten whatever its path says")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(made_at(1s, "one", "10.0.0.1"));
    bindings.bind(made_at(2s, "two", "10.0.0.2"));
    const auto same = [&](const std::filesystem::path& path) -> std::optional<NetnsIdentity> {
        for (const BoundPod& pod : bindings.pods())
            if (path == pod.netns)
                return pod.netns_identity;
        return std::nullopt;
    };
    CHECK_FALSE(bindings.any_gone());
    CHECK(forget_vanished_pods(bindings, same).empty());

    tables.living.end(1);
    CHECK(bindings.any_gone());
    CHECK(bindings.pods()[0].gone != bindings.pods()[1].gone);
    CHECK(bindings.holders_outside("another").size() == 1);
    CHECK(bindings.node_ports()[0].backends[1].seen.gone);
    CHECK_FALSE(bindings.node_ports()[0].backends[0].seen.gone);
    CHECK(bound_names(forget_vanished_pods(bindings, same)) == std::vector<std::string>{"one"});
    CHECK(order(bindings, 80) == std::vector<std::uint64_t>{2});
    CHECK_FALSE(bindings.any_gone());
}

TEST_CASE("an address ends who had it before, in the same network")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(made_at(1s, "one", "10.0.0.1"));
    const AttachmentId next{"next", "eth0"};

    CHECK(forget_predecessors(bindings, next, "cilium", {*Address::parse("10.0.0.2")}).empty());
    CHECK(forget_predecessors(bindings, {"one", "eth0"}, "cilium", first_address).empty());
    CHECK(forget_predecessors(bindings, next, "another", first_address).empty());
    SECTION("there")
    {
        CHECK(bound_names(forget_predecessors(bindings, next, "cilium", first_address)) ==
              std::vector<std::string>{"one"});
    }
    SECTION("elsewhere, if it is gone")
    {
        tables.living.end(1);
        CHECK(bound_names(forget_predecessors(bindings, next, "another", first_address)) ==
              std::vector<std::string>{"one"});
    }
    CHECK(tables.entries() == 0);
    CHECK_FALSE(bindings.last_holder_of(first_address[0]));
}

TEST_CASE("an address is whose it was last, and its earlier holder's end changes nothing")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    bindings.bind(made_at(1s, "one", "10.0.0.1"));
    bindings.bind(made_at(2s, "two", "10.0.0.1"));
    bindings.unbind({"one", "eth0"});
    REQUIRE(bindings.last_holder_of(first_address[0]));
    CHECK(bindings.last_holder_of(first_address[0])->id.container_id == "two");
    bindings.unbind({"two", "eth0"});
    CHECK(tables.entries() == 0);
}
