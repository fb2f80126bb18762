// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// From the API server's watch into the datapath, and what is told back: Events about pods that were refused.
#include "sallyport/datapath.hpp"
#include "support/agent.hpp"
#include "support/local_node.hpp"
#include "support/pod_of.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

/// The pod as the API server tells of it, with a reason where it isn't Ready.
Json told(const Pod& pod, const std::string& version, bool ready)
{
    Json object = api_pod(pod, version, ready);
    if (!ready)
        object["status"]["conditions"][0]["reason"] = "ContainersNotReady";
    return object;
}

/// Two pods behind port 80 that both listen, in a cluster whose agent is there.
struct WatchedPods
{
    WatchedPods()
    {
        require_ok(older.add());
        require_ok(younger.add());
    }

    /// What `status` says of the pod: a member, or null.
    Json of(const Pod& pod, const std::string& member) const
    {
        const Json status = node.status();
        for (const Json& port : status.at("nodePorts"))
            for (const Json& held : port.at("pods"))
                if (held.at("containerID") == pod.container_id)
                    return held.at(member);
        return {};
    }

    bool is_said(const Pod& pod, const std::string& word, const Json& value) const
    {
        return eventually([&] {
            const Json said = of(pod, "kubernetes");
            return said.is_object() && said.at(word) == value;
        });
    }

    std::string taker() const { return name_in(ask_tcp(node.client, {node_v4, 80})); }

    Node node;
    ApiServer server{node.host};
    PodOf pod_of{server};
    Pod older{node, {.name = "older", .expose = "80:9080"}};
    Pod younger{node, {.name = "younger", .expose = "80:9080"}};
    TcpServer first{older.netns, "older", {"::", 9080}};
    TcpServer second{younger.netns, "younger", {"::", 9080}};
};

}  // namespace

TEST_CASE("what Kubernetes says of a pod decides who takes new connections", "[agent][kubernetes][words]")
{
    WatchedPods cluster;
    cluster.server.list({told(cluster.older, "1", true), told(cluster.younger, "2", false)}, "10");
    const Agent agent(cluster.node);
    REQUIRE(cluster.is_said(cluster.older, "ready", true));
    REQUIRE(cluster.is_said(cluster.younger, "ready", false));
    CHECK(cluster.of(cluster.younger, "why") == "not Ready: ContainersNotReady");
    CHECK(cluster.taker() == "older");

    cluster.server.send("MODIFIED", told(cluster.younger, "11", true));
    REQUIRE(cluster.is_said(cluster.younger, "ready", true));
    CHECK(cluster.taker() == "younger");
    cluster.server.send("MODIFIED", ending(told(cluster.younger, "12", true)));
    REQUIRE(cluster.is_said(cluster.younger, "ending", true));
    CHECK(cluster.of(cluster.younger, "why").get<std::string>().starts_with("ending since "));
    CHECK(cluster.taker() == "older");
    cluster.server.send("DELETED", told(cluster.older, "13", true));  // by force: it was never told to end
    REQUIRE(cluster.is_said(cluster.older, "ending", true));
    CHECK(cluster.taker() == "younger");

    std::vector<std::string> words;
    std::istringstream lines(cluster.node.tool({"trace", "--json", "--no-follow"}).out);
    for (std::string line; std::getline(lines, line);)
        if (const Json event = Json::parse(line); event.at("kind") == "word")
            words.push_back(event.at("pod").at("name").get<std::string>() + " " + event.at("word").get<std::string>());
    CHECK(words.size() == 5);
    CHECK(words.back() == "gateways/older ending");
    const std::string metrics = agent.get("/metrics").body;
    CHECK(metrics.find(R"(witness="socket",kubernetes="ending"} 2)") != std::string::npos);
}

TEST_CASE("a pod that Kubernetes spoke of before it was bound is told of once it is", "[agent][kubernetes][words]")
{
    WatchedPods cluster;
    Pod next(cluster.node, {.name = "next", .expose = "80:9080"});
    const TcpServer server(next.netns, "next", {"::", 9080});
    cluster.server.list({told(cluster.older, "1", true), told(next, "2", false)}, "10");
    const Agent agent(cluster.node);
    REQUIRE(cluster.is_said(cluster.older, "ready", true));
    CHECK(cluster.of(cluster.younger, "kubernetes") == nullptr);
    require_ok(next.add());
    REQUIRE(cluster.is_said(next, "ready", false));
    CHECK(cluster.taker() == "younger");
    require_ok(next.del());
    CHECK(cluster.taker() == "younger");
}

TEST_CASE("an API server that is away changes nothing at first, and what it says afterwards counts",
          "[agent][kubernetes][words]")
{
    WatchedPods cluster;
    cluster.server.list({told(cluster.older, "1", true), told(cluster.younger, "2", false)}, "10");
    const Agent agent(cluster.node);
    REQUIRE(cluster.is_said(cluster.younger, "ready", false));
    cluster.server.tell({{"behave", "refuse"}, {"status", 503}});
    cluster.server.tell({{"end", "cut"}});
    CHECK(eventually([&] { return agent.says_of_itself("the API server answers 503"); }));
    CHECK(cluster.taker() == "older");
    cluster.server.list({told(cluster.older, "20", true), told(cluster.younger, "21", true)}, "30");
    cluster.server.tell({{"behave", "well"}});
    REQUIRE(eventually([&] { return !agent.says_of_itself("the API server answers 503"); }));
    cluster.server.tell({{"raw", R"({"type":"ERROR","object":{"code":410,"message":"too old"}})"
                                 "\n"}});
    REQUIRE(cluster.is_said(cluster.younger, "ready", true));
    CHECK(cluster.taker() == "younger");
}

// Takes three minutes of waiting, so only `make soak` has the patience.
TEST_CASE("Kubernetes' word is renewed while it is followed, and lapses when it isn't", "[.soak][kubernetes][words]")
{
    WatchedPods cluster;
    cluster.server.list({told(cluster.older, "1", true), told(cluster.younger, "2", false)}, "10");
    const Agent agent(cluster.node);
    REQUIRE(cluster.is_said(cluster.younger, "ready", false));
    std::this_thread::sleep_for(75s);
    CHECK(cluster.of(cluster.younger, "kubernetes").is_object());
    CHECK(cluster.taker() == "older");
    cluster.server.tell({{"behave", "refuse"}, {"status", 503}});
    cluster.server.tell({{"end", "cut"}});
    std::this_thread::sleep_for(30s);
    CHECK(cluster.of(cluster.younger, "kubernetes").is_object());
    std::this_thread::sleep_for(45s);
    CHECK(cluster.of(cluster.younger, "kubernetes") == nullptr);
    CHECK(cluster.taker() == "younger");
}

TEST_CASE("a refused pod gets an Event with the sentence that its runtime got, once", "[agent][kubernetes][events]")
{
    WatchedPods cluster;
    cluster.server.list({}, "10");
    const Agent agent(cluster.node);
    const auto events = [&](std::size_t count) {
        return eventually([&] { return cluster.server.events().size() >= count; });
    };
    Pod stranger(cluster.node, {.name = "web", .kubernetes_namespace = "elsewhere", .expose = "80:9080"});
    const Answer answer = stranger.add();
    REQUIRE(answer.code() == 100);
    REQUIRE(events(1));
    const Json event = cluster.server.events()[0];
    CHECK(event.at("message") == answer.message());
    CHECK(event.at("reason") == "NodePortRefused");
    CHECK(event.at("type") == "Warning");
    CHECK(event.at("source").at("host") == "n1");
    CHECK(event.at("involvedObject").at("uid") == stranger.uid);
    CHECK(event.at("involvedObject").at("name") == "web");
    CHECK(event.at("metadata").at("namespace") == "elsewhere");

    for (int again = 0; again < 3; again++)
        REQUIRE(stranger.add().code() == 100);  // as kubelet does, every 15 s
    Pod rival(cluster.node, {.name = "rival", .kubernetes_namespace = "others", .expose = "80:9080"});
    REQUIRE(rival.add().code() == 101);
    REQUIRE(events(2));
    CHECK(cluster.server.events().size() == 2);
    CHECK(cluster.server.events()[1].at("message").get<std::string>().find("is held by") != std::string::npos);
    CHECK_FALSE(agent.says_of_itself("Kubernetes"));
}

TEST_CASE("an agent that may not tell of refused pods says so, and tells later", "[agent][kubernetes][events]")
{
    WatchedPods cluster;
    const Agent agent(cluster.node);
    agent.wait_until_begun();
    cluster.server.tell({{"behave", "refuse"}, {"status", 403}, {"message", "events is forbidden"}});
    Pod stranger(cluster.node, {.name = "web", .kubernetes_namespace = "elsewhere", .expose = "80:9080"});
    REQUIRE(stranger.add().code() == 100);
    CHECK(eventually([&] { return agent.says_of_itself("the verb create on events"); }));
    cluster.server.tell({{"behave", "well"}});
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (cluster.server.events().empty() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(50ms);
    CHECK(cluster.server.events().size() == 1);
}

// Not one of `make test`'s: it says how long, and nobody is failed for time. build/node_tests "[measure]"
TEST_CASE("how long Kubernetes' word takes, and what 50 of them a second cost", "[.][measure][words]")
{
    WatchedPods cluster;
    std::vector<Json> pods{told(cluster.older, "1", true), told(cluster.younger, "2", true)};
    for (int i = 0; i < 108; i++)
        pods.push_back(api_pod("other-" + std::to_string(i), "3", true));
    cluster.server.list(pods, "10");
    const Agent agent(cluster.node);
    REQUIRE(cluster.is_said(cluster.older, "ready", true));
    const auto readiness = [&] {
        const auto datapath = sallyport::Datapath::find({.bpffs = cluster.node.bpffs()});
        std::vector<sallyport::Readiness> said;
        for (const auto& [generation, word] : datapath->bindings().words())
            said.push_back(word.readiness);
        return said;
    };

    std::vector<std::chrono::microseconds> took;
    for (int i = 0; i < 100; i++) {
        const bool ready = i % 2 == 1;
        const auto begin = std::chrono::steady_clock::now();
        cluster.server.send("MODIFIED", told(cluster.older, std::to_string(100 + i), ready));
        const auto wanted = ready ? sallyport::Readiness::ready : sallyport::Readiness::not_ready;
        while (readiness().at(0) != wanted && std::chrono::steady_clock::now() < begin + patience)
            std::this_thread::sleep_for(200us);
        took.push_back(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin));
        std::this_thread::sleep_for(20ms);
    }
    std::ranges::sort(took);
    WARN("from the API server's hand into the datapath, us: median "
         << took[50].count() << ", 99 of 100 " << took[98].count() << ", longest " << took[99].count());

    const Cost before = agent.cost();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 500; i++) {
        Json pod = pods[static_cast<std::size_t>(i) % pods.size()];
        pod["metadata"]["resourceVersion"] = std::to_string(1000 + i);
        pod["status"]["conditions"][0]["status"] = i % 220 < 110 ? "False" : "True";
        cluster.server.send("MODIFIED", pod);
        std::this_thread::sleep_until(begin + (i + 1) * 20ms);
    }
    WARN("110 pods, 50 changes a second: " << in_words(before, agent.cost(), 10s));
}
