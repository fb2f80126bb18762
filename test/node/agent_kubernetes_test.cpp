// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// An agent that is a pod of a cluster.
#include "support/agent.hpp"
#include "support/pod_of.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <string>

using namespace sallyport::test;

namespace {}  // namespace

TEST_CASE("an agent in a cluster follows Kubernetes' word, and says why it can't", "[agent][kubernetes]")
{
    const Node node;
    const ApiServer server(node.host);
    const PodOf cluster(server);
    server.tell({{"behave", "refuse"}, {"status", 403}, {"message", "pods is forbidden"}});
    Agent agent(node);
    CHECK(eventually([&] { return agent.says_of_itself("list and watch on pods"); }));
    CHECK(agent.get("/healthz").status == 200);
    server.list({api_pod("a", "3", true), api_pod("b", "4", true)}, "10");
    server.tell({{"behave", "well"}});
    CHECK(agent.says("of n1 is followed: 2"));
    CHECK(eventually([&] { return !agent.says_of_itself("list and watch on pods"); }));
    CHECK(agent.end().status == 0);
}

TEST_CASE("an agent in half a cluster says what is missing, and does everything else", "[agent][kubernetes]")
{
    const Node node;
    const ApiServer server(node.host);
    const PodOf cluster(server);
    unsetenv("NODE_NAME");
    Agent agent(node);
    CHECK(eventually([&] { return agent.says_of_itself("NODE_NAME isn't set"); }));
    CHECK(agent.get("/healthz").status == 200);
    CHECK(agent.end().status == 0);
    CHECK(server.requests().empty());
}
