// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/conflicts.hpp"

#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>

using namespace sallyport;
using test::TemporaryDirectory;

TEST_CASE("conflicts are counted from call to call", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    CHECK(read_conflicts(directory.path()) == 0);
    for (unsigned i = 1; i <= 3; i++) {
        count_conflict(directory.path());
        CHECK(read_conflicts(directory.path()) == i);
    }
}

TEST_CASE("a number that somebody broke counts as none, and is counted on from", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    for (const char* broken : {"", "many\n", "-3\n", "99999999999999999999999\n"}) {
        CAPTURE(broken);
        std::ofstream(directory.path() / "conflicts") << broken;
        const std::uint64_t before = read_conflicts(directory.path());
        count_conflict(directory.path());
        CHECK(read_conflicts(directory.path()) == before + 1);
    }
}

TEST_CASE("a full disk doesn't take the number back to none", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    count_conflict(directory.path());
    REQUIRE(read_conflicts(directory.path()) == 1);
    std::filesystem::create_symlink("/dev/full", directory.path() / "conflicts.new");
    count_conflict(directory.path());
    CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(directory.path() / "conflicts")));
    CHECK(read_conflicts(directory.path()) == 1);
}

TEST_CASE("where there is no directory, nothing is counted and nothing fails", "[agent][conflicts]")
{
    count_conflict("/nonexistent/sallyport");
    CHECK(read_conflicts("/nonexistent/sallyport") == 0);
}
