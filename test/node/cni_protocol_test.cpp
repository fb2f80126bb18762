// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The CNI protocol itself: versions, environment, and how errors are said.
#include "support/node.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <algorithm>
#include <set>

using namespace sallyport::test;

namespace {

const std::vector<std::string> versions{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

/// A CNI error on stdout and nothing else there.
void check_error(const Answer& answer, int code)
{
    INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
    REQUIRE_FALSE(answer.ok());
    Json error;
    REQUIRE_NOTHROW(error = answer.json());
    CHECK(error.at("code") == code);
    CHECK_FALSE(error.at("msg").get<std::string>().empty());
    CHECK(error.contains("cniVersion"));
}

}  // namespace

TEST_CASE("VERSION lists every version that is served", "[cni]")
{
    const Node node;
    const std::string stdin_text = GENERATE(R"({"cniVersion": "1.0.0"})", R"({"cniVersion": "0.3.1"})");
    const Answer answer =
        call_plugin(sallyport_binary(), {.command = "VERSION", .ifname = "", .stdin_text = stdin_text}, node.host);
    INFO(answer.out << answer.err);
    REQUIRE(answer.ok());
    const Json json = answer.json();
    CHECK(json.at("cniVersion") == Json::parse(stdin_text).at("cniVersion"));
    const auto supported = json.at("supportedVersions").get<std::set<std::string>>();
    CHECK(std::includes(supported.begin(), supported.end(), versions.begin(), versions.end()));
    CHECK(node.footprint() == nothing);
}

TEST_CASE("ADD and DEL work in every version, and ADD hands prevResult back whole", "[cni]")
{
    Node node;
    node.cni_version = GENERATE(from_range(versions));
    CAPTURE(node.cni_version);
    const std::string expose = GENERATE("", "80:9080");
    Pod pod(node, {.expose = expose});
    // Fields that no specification knows, of every JSON type.
    pod.primary_result["future"] = {{"number", 1.5}, {"list", {1, nullptr, "x"}}, {"large", 18446744073709551615U}};
    pod.primary_result["interfaces"][0]["mtu"] = 1450;
    pod.primary_result["dns"]["nameservers"] = {"10.96.0.10"};

    const Answer added = pod.add();
    INFO(added.out << added.err);
    REQUIRE(added.ok());
    CHECK(added.json() == pod.primary_result);
    const Answer removed = pod.del();
    INFO(removed.out << removed.err);
    CHECK(removed.ok());
    CHECK(removed.out.empty());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("the order of prevResult's keys and the digits of its numbers are kept", "[cni]")
{
    const Node node;
    Node other;
    Pod pod(other, {});
    PluginCall call = pod.call("ADD");
    const std::string previous = R"({"zebra": 1, "cniVersion": "0.3.1", "ips": [], "interfaces": [], "apple": 1.10})";
    call.stdin_text = R"({"cniVersion": "0.3.1", "name": "pods", "type": "sallyport", "prevResult": )" + previous + "}";
    const Answer answer = call_plugin(sallyport_binary(), call, node.host);
    REQUIRE(answer.ok());
    CHECK(answer.json() == Json::parse(previous));
    CHECK(answer.out.find("zebra") < answer.out.find("apple"));
    CHECK(answer.out.find("1.10") != std::string::npos);
}

TEST_CASE("an unknown version is error 1, in every command that brings one", "[cni]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080"});
    node.cni_version = GENERATE("0.1.0", "0.2.0", "2.0.0", "nonsense", "");
    CAPTURE(node.cni_version);
    check_error(call_plugin(sallyport_binary(), pod.call("ADD"), node.host), 1);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("an error is answered in the caller's version", "[cni]")
{
    Node node;
    node.cni_version = GENERATE(from_range(versions));
    Pod pod(node, {.expose = "80:0"});
    const Answer answer = pod.add();
    check_error(answer, 102);
    CHECK(answer.json().at("cniVersion") == node.cni_version);
}

TEST_CASE("a missing or malformed variable is error 4 and named", "[cni]")
{
    const Node node;
    Node other;
    Pod pod(other, {.expose = "80:9080"});
    PluginCall call = pod.call("ADD");
    std::string name;
    SECTION("CNI_CONTAINERID")
    {
        name = "CNI_CONTAINERID";
        call.container_id = GENERATE("", "-starts-with-a-dash", "has/slash", "has space");
    }
    SECTION("CNI_NETNS")
    {
        name = "CNI_NETNS";
        call.netns = "";
    }
    SECTION("CNI_IFNAME")
    {
        name = "CNI_IFNAME";
        call.ifname = GENERATE("", "longer-than-15-characters", "has/slash", "..", "has:colon");
    }
    SECTION("CNI_COMMAND")
    {
        name = "CNI_COMMAND";
        call.command = GENERATE("add", "REMOVE", "ADD ");
    }
    const Answer answer = call_plugin(sallyport_binary(), call, node.host);
    check_error(answer, 4);
    CHECK(answer.message().find(name) != std::string::npos);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("ADD without prevResult says that the plugin must be chained", "[cni]")
{
    Node node;
    Pod pod(node, {.expose = GENERATE("", "80:9080")});
    pod.primary_result = nullptr;
    check_error(pod.add(), 7);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a gateway's namespace that doesn't exist fails its ADD", "[cni]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080"});
    PluginCall call = pod.call("ADD");
    call.netns = "/run/netns/nobody-made-this";
    const Answer answer = call_plugin(sallyport_binary(), call, node.host);
    REQUIRE_FALSE(answer.ok());
    CHECK((answer.code() == 3 || answer.code() == 4));
    CHECK(answer.message().find(call.netns) != std::string::npos);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("STATUS succeeds on a node that nobody has used yet, and leaves it so", "[cni]")
{
    Node node;
    node.cni_version = "1.1.0";
    const Answer answer = node.call("STATUS");
    INFO(answer.out << answer.err);
    CHECK(answer.ok());
    CHECK(answer.out.empty());
    CHECK(node.footprint() == nothing);
}
