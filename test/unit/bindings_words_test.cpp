// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/bindings.hpp"
#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace sallyport;
using namespace sallyport::test;

TEST_CASE("Kubernetes' word is a bound pod's, counts for a while, and goes with the pod")
{
    FakeTables tables;
    Instant now{std::chrono::hours(1)};
    Bindings bindings(tables.references(), [&] { return now; });
    bindings.bind(binding("a", {exposure(80, "10.0.0.1")}));
    const std::uint64_t generation = order(bindings, 80).at(0);
    const Word word{.readiness = Readiness::not_ready,
                    .ending = true,
                    .since = now - std::chrono::seconds(3),
                    .reason = "ContainersNotReady"};
    bindings.hear({{generation + 1, word}});
    CHECK(bindings.words().empty());
    bindings.hear({{generation, word}});
    CHECK(bindings.words() == std::map<std::uint64_t, Word>{{generation, word}});
    now += std::chrono::seconds(60);
    CHECK(bindings.words().size() == 1);
    now += std::chrono::nanoseconds(1);
    CHECK(bindings.words().empty());
    bindings.hear({{generation, {.reason = std::string(100, 'x')}}});
    CHECK(bindings.words().at(generation).reason == std::string(39, 'x'));

    tables.words.put(generation + 7, {});  // of a pod that is gone
    SECTION("what is left of others is forgotten when there is news")
    {
        bindings.hear({});
    }
    SECTION("or when something is repaired")
    {
        bindings.repair();
    }
    CHECK(tables.words.size() == 1);
    CHECK(bindings.unbind({"a", "eth0"}));
    CHECK(tables.words.size() == 0);
}

TEST_CASE("a word that says something else is an event, one that is told again isn't")
{
    FakeTables tables;
    std::vector<abi::event> events;
    Bindings bindings(tables.references(), std::chrono::steady_clock::now, [&](const abi::event& event) {
        if (event.kind == abi::EVENT_WORD)
            events.push_back(event);
    });
    bindings.bind(binding("a", {exposure(80, "10.0.0.1")}));
    const std::uint64_t generation = order(bindings, 80).at(0);
    const Word ready{.readiness = Readiness::ready};
    for (const Word& word : {ready, ready, Word{.readiness = Readiness::not_ready, .reason = "a"},
                             Word{.readiness = Readiness::not_ready, .reason = "b"}, Word{.ending = true}})
        bindings.hear({{generation, word}});
    REQUIRE(events.size() == 3);
    CHECK(events[0].reason == abi::WORD_READY);
    CHECK(events[1].reason == abi::WORD_NOT_READY);
    CHECK(events[2].reason == abi::WORD_ENDING);
    CHECK(events[2].pod == generation);
    CHECK(std::string(events[2].pod_name) == "gateway-a");
}
