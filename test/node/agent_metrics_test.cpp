// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What conf/monitoring asks for is what the agent serves.
#include "support/agent.hpp"
#include "support/places.hpp"
#include "support/require_ok.hpp"
#include "support/temporary_directory.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>

using namespace sallyport::test;

TEST_CASE("dashboard and alerts ask for metrics and labels that the agent serves", "[agent][metrics]")
{
    if (execute({.argv = {"/usr/bin/python3", "-c", "import yaml"}}).status != 0)
        SKIP("python3-yaml isn't installed");
    Node node;
    Pod silent(node, {.name = "silent", .expose = "80:9080"});
    Pod gateway(node, {.name = "gateway", .expose = "80:9080"});
    require_ok(silent.add());
    require_ok(gateway.add());
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    Agent agent(node);
    agent.wait_until_begun();

    const TemporaryDirectory directory;
    const auto scrape = directory.path() / "scrape";
    const auto answer = agent.get("/metrics");
    REQUIRE(answer.status == 200);
    std::ofstream(scrape) << answer.body;
    const std::string source = source_directory();
    const Output checked = execute(
        {.argv = {"/usr/bin/python3", source + "/test/conf/metrics.py", "--conf", source + "/conf", scrape.string()}});
    INFO(checked.out << checked.err);
    CHECK(checked.status == 0);
}
