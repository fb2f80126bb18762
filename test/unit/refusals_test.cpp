// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A refusal's way from the plugin to the agent, and what the cluster is told.
#include "sallyport/kubernetes.hpp"
#include "sallyport/refusals.hpp"
#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

using namespace sallyport;
using namespace sallyport::test;
using Json = nlohmann::json;

TEST_CASE("what was noted of a pod last is taken once", "[refusals]")
{
    const TemporaryDirectory directory;
    const auto state_dir = directory.path() / "state";
    CHECK(take_refusals(state_dir).empty());
    sallyport::Refusal refusal{"kong", "kong-1", "u1", "node port 80 is held by \"apisix\""};
    note_refusal(state_dir, refusal);
    refusal.message = "another";
    note_refusal(state_dir, refusal);
    const sallyport::Refusal other{"../kong", "a/../../b", "", "broken UTF-8: \xff"};
    note_refusal(state_dir, other);
    note_refusal(state_dir, {"", "", "", "outside Kubernetes"});
    auto taken = take_refusals(state_dir);
    std::sort(taken.begin(), taken.end());
    REQUIRE(taken.size() == 2);
    CHECK(taken[1] == refusal);
    CHECK(taken[0].pod_name == other.pod_name);
    CHECK(take_refusals(state_dir).empty());
    CHECK(std::filesystem::is_empty(refusals_in(state_dir)));
}

TEST_CASE("refusals that nobody takes don't pile up, and nonsense is passed over", "[refusals]")
{
    const TemporaryDirectory directory;
    for (int i = 0; i < 100; i++)
        note_refusal(directory.path(), {"ns", "pod-" + std::to_string(i), "", "no"});
    std::ofstream(refusals_in(directory.path()) / "junk") << "{\"namespace\": 7}";
    std::ofstream(refusals_in(directory.path()) / "more") << "[";
    CHECK(take_refusals(directory.path()).size() == 64);
    CHECK(std::filesystem::is_empty(refusals_in(directory.path())));
}

TEST_CASE("of what a pod can't help, nobody is told", "[refusals]")
{
    CHECK(is_refusal(Code::port_taken));
    CHECK_FALSE(is_refusal(Code::try_again_later));
    CHECK_FALSE(is_refusal(Code::io_failure));
}

TEST_CASE("an Event is the same for the same message about the same pod", "[refusals]")
{
    PodEvent event{"kong", "kong-1", "u1", "NodePortRefused", "no"};
    const std::string name = name_of_event(event);
    CHECK(name.starts_with("kong-1."));
    CHECK(name == name_of_event(event));
    event.message = "not at all";
    CHECK(name != name_of_event(event));
    event.message = "no";
    event.pod_uid = "u2";
    CHECK(name != name_of_event(event));
    event.pod_name = std::string(253, 'a');
    CHECK(name_of_event(event).size() == 253);
}

TEST_CASE("an Event object says what, of whom, and where", "[refusals]")
{
    const std::chrono::system_clock::time_point time{std::chrono::seconds(1795608184)};
    PodEvent event{"kong", "kong-1", "u1", "NodePortRefused", std::string(1023, 'x') + "\xc3\xa9"};
    const Json object = Json::parse(to_json(event, "n1", time));
    CHECK(object.at("kind") == "Event");
    CHECK(object.at("metadata").at("name") == name_of_event(event));
    CHECK(object.at("involvedObject").at("uid") == "u1");
    CHECK(object.at("message") == std::string(1023, 'x'));
    CHECK(object.at("firstTimestamp") == "2026-11-25T12:03:04Z");
    CHECK(object.at("source").at("host") == "n1");
    event.pod_uid = "";
    CHECK_FALSE(Json::parse(to_json(event, "n1", time)).at("involvedObject").contains("uid"));
}
