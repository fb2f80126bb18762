// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// An agent that is a pod of a cluster.
#include "support/agent.hpp"
#include "support/api_server.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

using namespace sallyport::test;

namespace {

/// While it lives, our programs are pods of that server's node `n1`: the sandbox has a /run of its own.
class PodOf
{
public:
    explicit PodOf(const ApiServer& server)
    {
        const sallyport::Cluster cluster = server.cluster();
        std::filesystem::create_directories(directory_);
        std::filesystem::copy(cluster.token, directory_);
        std::filesystem::copy(cluster.authorities, directory_);
        setenv("KUBERNETES_SERVICE_HOST", cluster.host.c_str(), 1);
        setenv("KUBERNETES_SERVICE_PORT", std::to_string(cluster.port).c_str(), 1);
        setenv("NODE_NAME", cluster.node.c_str(), 1);
    }
    PodOf(const PodOf&) = delete;
    PodOf& operator=(const PodOf&) = delete;
    ~PodOf()
    {
        std::filesystem::remove_all(directory_);
        for (const char* name : {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "NODE_NAME"})
            unsetenv(name);
    }

private:
    std::filesystem::path directory_ = "/run/secrets/kubernetes.io/serviceaccount";
};

bool says_of_itself(const Agent& agent, const std::string& text)
{
    return agent.get("/status.json").body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("an agent in a cluster follows Kubernetes' word, and says why it can't", "[agent][kubernetes]")
{
    const Node node;
    const ApiServer server(node.host);
    const PodOf cluster(server);
    server.tell({{"behave", "refuse"}, {"status", 403}, {"message", "pods is forbidden"}});
    Agent agent(node);
    CHECK(eventually([&] { return says_of_itself(agent, "list and watch on pods"); }));
    CHECK(agent.get("/healthz").status == 200);
    server.list({api_pod("a", "3", true), api_pod("b", "4", true)}, "10");
    server.tell({{"behave", "well"}});
    CHECK(agent.says("of n1 is followed: 2"));
    CHECK(eventually([&] { return !says_of_itself(agent, "list and watch on pods"); }));
    CHECK(agent.end().status == 0);
}

TEST_CASE("an agent in half a cluster says what is missing, and does everything else", "[agent][kubernetes]")
{
    const Node node;
    const ApiServer server(node.host);
    const PodOf cluster(server);
    unsetenv("NODE_NAME");
    Agent agent(node);
    CHECK(eventually([&] { return says_of_itself(agent, "NODE_NAME isn't set"); }));
    CHECK(agent.get("/healthz").status == 200);
    CHECK(agent.end().status == 0);
    CHECK(server.requests().empty());
}
