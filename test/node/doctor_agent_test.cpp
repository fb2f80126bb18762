// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Does `sallyport doctor` find the node's agent, and tell what it says of itself? And do agents find each other?
#include "support/agent.hpp"
#include "support/local_node.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <memory>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

/// The doctor's finding about the agent, which is always there.
Json finding(const Node& node, const fs::path& config)
{
    const Output output = node.tool({"doctor", "--json", "--cni-conf-dir", cni_conf_dir(node), "--cni-bin-dir",
                                     cni_bin_dir(node), "--cri-socket", "off", "--config", config});
    INFO(output.out << output.err);
    const Json report = Json::parse(output.out);
    for (const Json& each : report.at("findings"))
        if (each.at("check") == "agent")
            return each;
    FAIL("the doctor says nothing about the agent");
    return {};
}

bool is(const Json& finding, const std::string& level, const std::string& text)
{
    INFO(finding.dump());
    CHECK(finding.at("level") == level);
    CHECK(finding.at("what").get<std::string>().find(text) != std::string::npos);
    return true;
}

void write_ptp_list(const Node& node)
{
    const Json list{{"cniVersion", "0.3.1"}, {"name", "pods"}, {"plugins", {{{"type", "ptp"}}}}};
    std::ofstream(cni_conf_dir(node) / "05-pods.conflist") << list.dump();
}

}  // namespace

TEST_CASE("the doctor tells how the agent is", "[agent][doctor]")
{
    Node node;
    directory_arguments(node);
    const fs::path config = node.directory() / "config.json";
    std::ofstream(config) << node.plugin.dump();
    CHECK(is(finding(node, config), "note", "no agent runs"));

    auto agent = std::make_unique<Agent>(node);
    CHECK(agent->readiness_is(503, "no network is configured"));
    CHECK(eventually([&] { return finding(node, config).at("level") == "warning"; }));
    CHECK(is(finding(node, config), "warning", "no network is configured"));

    write_ptp_list(node);
    CHECK(agent->readiness_is(200));
    CHECK(is(finding(node, config), "ok", ":9465"));

    agent->kill();
    agent.reset();
    CHECK(is(finding(node, config), "warning", "was killed"));

    agent = std::make_unique<Agent>(node);
    CHECK(agent->readiness_is(200));
    CHECK(is(finding(node, config), "ok", "ready"));
    CHECK(agent->end().status == 0);
    CHECK(is(finding(node, config), "note", "no agent runs"));
}

TEST_CASE("the doctor asks the agent that is in charge, and none that has no HTTP", "[agent][doctor]")
{
    Node node;
    const Agent first(node);
    CHECK(first.readiness_is(503));
    const Agent second(node);  // the port is the first one's
    CHECK(first.says("another agent has begun"));
    CHECK(is(finding(node, second.config.file()), "note", "serves no HTTP"));
}

TEST_CASE("agents whose directory was emptied find each other again", "[agent][life]")
{
    Node node;
    write_ptp_list((directory_arguments(node), node));
    const Agent first(node);
    CHECK(first.readiness_is(200));
    fs::remove_all(node.state_dir());  // as cleaners of /run do
    const Agent second(node);
    CHECK(second.says("this configuration is in force now"));
    // Which of them is in charge is left to chance, but it is one of them.
    CHECK(eventually([&] {
        return first.log().find("another agent has begun") != std::string::npos ||
               second.log().find("another agent has begun") != std::string::npos;
    }));
}
