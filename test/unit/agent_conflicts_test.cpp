// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/conflicts.hpp"

#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <string>

using namespace sallyport;
using namespace std::chrono_literals;
using test::TemporaryDirectory;

namespace {

constexpr Instant some_time{1000s};

/// Each try has another container.
Attachment refused_pod(const std::string& name, const std::string& uid = "", const std::string& container = "c1")
{
    Attachment pod;
    pod.id = {container, "eth0"};
    pod.pod_namespace = "kong";
    pod.pod_name = name;
    pod.pod_uid = uid;
    return pod;
}

}  // namespace

TEST_CASE("a pod that is refused again and again counts once, another one anew", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    CHECK(read_conflicts(directory.path(), some_time) == Conflicts{});
    for (int i = 0; i < 5; i++) {
        const Instant now = some_time + i * 15s;
        const std::string container = "c" + std::to_string(i);
        count_conflict(directory.path(), refused_pod("kong-1", "u1", container), now);
        count_conflict(directory.path(), refused_pod("kong-2", "", container), now);
        CHECK(read_conflicts(directory.path(), now) == Conflicts{2, 2});
    }
    count_conflict(directory.path(), refused_pod("kong-1", "u2"), some_time);  // a StatefulSet's next one
    CHECK(read_conflicts(directory.path(), some_time).pods == 3);

    Attachment of_a_tool;
    of_a_tool.id = {"c1", "eth0"};
    count_conflict(directory.path(), of_a_tool, some_time);
    count_conflict(directory.path(), of_a_tool, some_time);
    CHECK(read_conflicts(directory.path(), some_time).pods == 4);
}

TEST_CASE("a conflict goes on while the pod is tried, and ends two minutes after its last try", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    count_conflict(directory.path(), refused_pod("kong-1"), some_time);
    count_conflict(directory.path(), refused_pod("kong-2"), some_time);
    count_conflict(directory.path(), refused_pod("kong-1"), some_time + 60s);
    CHECK(read_conflicts(directory.path(), some_time + 120s) == Conflicts{2, 2});
    CHECK(read_conflicts(directory.path(), some_time + 180s) == Conflicts{2, 1});
    CHECK(read_conflicts(directory.path(), some_time + 181s) == Conflicts{2, 0});
    CHECK(read_conflicts(directory.path(), some_time - 1s) == Conflicts{2, 0});  // a file of an earlier boot
}

TEST_CASE("the file of conflicts stays small, and remembers who is still tried", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    for (unsigned i = 1; i <= 1500; i++) {
        count_conflict(directory.path(), refused_pod("kong-" + std::to_string(i)), some_time);
        count_conflict(directory.path(), refused_pod("goes-on"), some_time);
        REQUIRE(read_conflicts(directory.path(), some_time).pods == i + 1);
    }
    CHECK(std::filesystem::file_size(directory.path() / "conflicts") < 32'768);
    CHECK(read_conflicts(directory.path(), some_time).going == 1024);
}

TEST_CASE("a number that somebody broke counts as none, and is counted on from", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    for (const std::string& broken : {std::string(), std::string("many\n"), std::string("-3\n"), std::string("7 8\n"),
                                      std::string("99999999999999999999999\n"), std::string(100'000, '7')}) {
        CAPTURE(broken.substr(0, 30));
        std::ofstream(directory.path() / "conflicts") << broken;
        CHECK(read_conflicts(directory.path(), some_time) == Conflicts{});
        count_conflict(directory.path(), refused_pod("kong-1"), some_time);
        CHECK(read_conflicts(directory.path(), some_time) == Conflicts{1, 1});
    }
}

TEST_CASE("lines of conflicts that somebody broke are passed over, and a bare number is one", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    std::ofstream(directory.path() / "conflicts") << "7\n1\n1 \n1 2 3\n-1 2\n1 -2\nx y\n1 1000\n";
    CHECK(read_conflicts(directory.path(), some_time) == Conflicts{7, 1});
    std::ofstream(directory.path() / "conflicts") << "7";  // an older version's
    count_conflict(directory.path(), refused_pod("kong-1"), some_time);
    CHECK(read_conflicts(directory.path(), some_time) == Conflicts{8, 1});
}

TEST_CASE("a full disk doesn't take the number back to none", "[agent][conflicts]")
{
    const TemporaryDirectory directory;
    count_conflict(directory.path(), refused_pod("kong-1"), some_time);
    REQUIRE(read_conflicts(directory.path(), some_time).pods == 1);
    std::filesystem::create_symlink("/dev/full", directory.path() / "conflicts.new");
    count_conflict(directory.path(), refused_pod("kong-2"), some_time);
    CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(directory.path() / "conflicts")));
    CHECK(read_conflicts(directory.path(), some_time).pods == 1);
}

TEST_CASE("where there is no directory, nothing is counted and nothing fails", "[agent][conflicts]")
{
    count_conflict("/nonexistent/sallyport", refused_pod("kong-1"), some_time);
    CHECK(read_conflicts("/nonexistent/sallyport", some_time) == Conflicts{});
    forget_conflicts("/nonexistent/sallyport");
}
