// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/condition.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace sallyport;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

TEST_CASE("an agent is ready once it has begun, while there is no problem, until it is told to end", "[agent]")
{
    Condition condition;
    CHECK_FALSE(condition.state().ready);
    CHECK(condition.state().problems.size() == 1);
    condition.begin();
    CHECK(condition.state().ready);
    CHECK(condition.state().problems == Texts{});

    condition.set_problem("chain", "chain: there is no conflist");
    condition.set_problem("a task", "");
    CHECK_FALSE(condition.state().ready);
    CHECK(condition.state().problems == Texts{"chain: there is no conflist"});
    condition.set_problem("chain", "");
    CHECK(condition.state().ready);

    condition.end();
    CHECK_FALSE(condition.state().ready);
    CHECK(condition.state().problems == Texts{"the agent has been told to end"});
}

TEST_CASE("what falls short is told, and is no reason not to be ready", "[agent]")
{
    Condition condition;
    condition.begin();
    condition.set_note("cgroups", "there is no cgroup v2");
    CHECK(condition.state().ready);
    CHECK(condition.state().problems == Texts{"there is no cgroup v2"});
    condition.set_note("cgroups", "");
    CHECK(condition.state().problems == Texts{});
}

TEST_CASE("an agent lives while its loop turns, and tells what it has counted", "[agent]")
{
    Instant now{1000s};
    Condition condition([&] { return now; });
    CHECK(condition.state().alive);
    now += 30s;
    CHECK_FALSE(condition.state().alive);
    condition.turn();
    CHECK(condition.state().alive);
    condition.set_conflicts({.pods = 7, .going = 1});
    condition.add_reattached(2);
    condition.add_reattached(1);
    CHECK(condition.state().conflicts == Conflicts{7, 1});
    CHECK(condition.state().reattached == 3);
}
