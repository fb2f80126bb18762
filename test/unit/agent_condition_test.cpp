// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/condition.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

TEST_CASE("an agent is ready once it has begun, while there is no problem, until it is told to end",
          "[agent][condition]")
{
    Condition condition;
    CHECK_FALSE(condition.status().ready);
    CHECK(condition.status().problems.size() == 1);
    condition.begin();
    CHECK(condition.status().ready);
    CHECK(condition.status().problems == Texts{});

    condition.set_problem("chain", "chain: there is no conflist");
    condition.set_problem("a task", "");
    CHECK_FALSE(condition.status().ready);
    CHECK(condition.status().problems == Texts{"chain: there is no conflist"});
    condition.set_problem("chain", "");
    CHECK(condition.status().ready);

    condition.end();
    CHECK_FALSE(condition.status().ready);
    CHECK(condition.status().problems == Texts{"the agent has been told to end"});
}

TEST_CASE("a note is told and is no reason not to be ready", "[agent][condition]")
{
    Condition condition;
    condition.begin();
    condition.set_note("cgroups", "there is no cgroup v2");
    CHECK(condition.status().ready);
    CHECK(condition.status().notes == Texts{"there is no cgroup v2"});
    condition.set_note("cgroups", "");
    CHECK(condition.status().notes == Texts{});
}

TEST_CASE("how long the loop hasn't turned, and what it has counted", "[agent][condition]")
{
    std::chrono::steady_clock::time_point now{};
    Condition condition([&] { return now; });
    now += 12s;
    CHECK(condition.status().since_turn == 12s);
    condition.turn();
    CHECK(condition.status().since_turn == 0ms);
    condition.set_conflicts(7);
    condition.add_reattached(2);
    condition.add_reattached(1);
    CHECK(condition.status().conflicts == 7);
    CHECK(condition.status().reattached == 3);
}
