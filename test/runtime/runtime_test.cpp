// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods of a real container runtime, through the real chain: what containerd passes on, when it calls, and what it
// keeps.
#include "containerd.hpp"
#include "heard.hpp"

#include "support/footprint.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

using namespace sallyport;
using namespace sallyport::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string answer_at(const Node& node, const std::string& address)
{
    return ask_tcp(node.client, {address, 80});
}

void check_answers(const Node& node, const std::string& name = "gateway")
{
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        const std::string answer = name + ' ' + own;
        CHECK(from_outside(node, {address, 80}, answer) == answer);
    }
}

}  // namespace

TEST_CASE("a gateway pod of a real runtime is served, and leaves nothing behind", "[runtime]")
{
    LocalNode node;
    const Containerd containerd(node, true);
    const RuntimeVersion version = containerd.client().version();
    CHECK(version.name == "containerd");
    CHECK_THAT(version.version, ContainsSubstring("."));
    std::cout << "runtime: " << version.name << ' ' << version.version << '\n';

    const std::string id = containerd.run();
    INFO(containerd.log());
    check_answers(node);

    const auto pods = containerd.client().list_sandboxes();
    REQUIRE(pods.size() == 1);
    CHECK(pods[0].id == id);
    CHECK(pods[0].ready);
    CHECK(pods[0].pod_namespace == "gateways");
    CHECK(pods[0].pod_name == "gateway");
    CHECK(pods[0].annotations.at("sallyport.dev/expose") == "80:9080");
    CHECK(containerd.adopt().at(0).outcome == AdoptionResult::Outcome::bound);

    containerd.stop(id);
    CHECK(answer_at(node, node_v4) == "refused");
    CHECK_FALSE(containerd.client().inspect(id).ready);
    containerd.remove(id);
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
    require_refusal([&] { containerd.client().inspect(id); }, Code::unknown_container, {"not found"});
}

TEST_CASE("a pod that was there before us is attached in place, and its runtime cleans up", "[runtime]")
{
    LocalNode node;
    const Containerd containerd(node, false);
    const std::string id = containerd.run();
    CHECK(answer_at(node, node_v4) == "refused");

    const Sandbox pod = containerd.client().inspect(id);
    CHECK_THAT(pod.netns, ContainsSubstring("/run/netns/"));
    CHECK(pod.addresses.size() == 2);

    containerd.set_chain(true);
    CHECK(answer_at(node, node_v4) == "refused");
    const auto results = containerd.adopt();
    REQUIRE(results.size() == 1);
    INFO(results[0].text);
    CHECK(results[0].outcome == AdoptionResult::Outcome::adopted);
    CHECK(results[0].container_id == id);
    check_answers(node);

    SECTION("by DEL, which comes through the chain of today")
    {
        containerd.stop(id);
        CHECK(answer_at(node, node_v4) == "refused");
        containerd.remove(id);
    }
    SECTION("or with its namespace, where we have left the chain meanwhile")
    {
        containerd.set_chain(false);
        containerd.stop(id);
        containerd.remove(id);
        CHECK(node.call("STATUS").ok());
        CHECK(node.footprint() != nothing);
        containerd.set_chain(true);
        const std::string next = containerd.run({.name = "next"});
        check_answers(node, "next");
        containerd.stop(next);
        containerd.remove(next);
    }
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("what an annotation does wrong is said where a kubelet shows it", "[runtime]")
{
    LocalNode node;
    const Containerd containerd(node, true);
    CHECK_THAT(refusal_of(containerd, {.annotations = {{"sallyport.dev/expose", "80:http"}}}),
               ContainsSubstring("sallyport.dev/expose"));
    CHECK_THAT(refusal_of(containerd, {.name = "ssh", .annotations = {{"sallyport.dev/expose", "22:2222"}}}),
               ContainsSubstring("node port 22 isn't allowed"));
    CHECK(node.settled_footprint() == nothing);

    const std::string plain = containerd.run({.name = "plain", .annotations = {}});
    CHECK(node.footprint() == nothing);
    containerd.stop(plain);
    containerd.remove(plain);
}

TEST_CASE("containerd 2 reads our drop-in", "[runtime]")
{
    LocalNode node;
    const Containerd containerd(node, false, Release::two);
    std::cout << "runtime: " << containerd.client().version().version << '\n';

    const std::filesystem::path directory = containerd.conf_dir() / node.network;
    std::filesystem::create_directory(directory);
    std::ofstream(directory / "50-sallyport.conf") << node.plugin.dump();
    containerd.write_chain(false);  // containerd looks at the directory itself, not at those below
    REQUIRE(containerd.has_us(true));

    const std::string id = containerd.run();
    check_answers(node);
    containerd.stop(id);
    containerd.remove(id);
    CHECK(node.settled_footprint() == nothing);
}
