// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/given_up.hpp"
#include "support/refusal.hpp"
#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>

using namespace sallyport;
using namespace sallyport::test;

TEST_CASE("pods whose node ports were given up are known by container and interface")
{
    const TemporaryDirectory state;
    CHECK_FALSE(was_given_up(state.path(), {"a", "eth0"}));
    note_given_up(state.path(), {});
    CHECK(std::filesystem::is_empty(state.path()));

    note_given_up(state.path(), {{"a", "eth0"}, {"b", "eth0"}});
    note_given_up(state.path(), {{"c", "eth1"}});
    CHECK(was_given_up(state.path(), {"a", "eth0"}));
    CHECK(was_given_up(state.path(), {"b", "eth0"}));
    CHECK(was_given_up(state.path(), {"c", "eth1"}));
    CHECK_FALSE(was_given_up(state.path(), {"c", "eth0"}));
    CHECK_FALSE(was_given_up(state.path(), {"", ""}));
    CHECK_FALSE(was_given_up(state.path() / "nowhere", {"a", "eth0"}));
}

TEST_CASE("that they can't be noted is said")
{
    require_refusal([] { note_given_up("/proc/nowhere", {{"a", "eth0"}}); }, Code::io_failure,
                    {"/proc/nowhere/given-up"});
}
