// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Remaps take no permission, so pods of any namespace may ask for as many as an annotation holds. Gateways have room
// all the same.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <memory>

using namespace sallyport::test;

namespace {

/// As many items as one pod may have.
std::string every_item()
{
    std::string items;
    for (int i = 0; i < 1024; ++i)
        items += (i == 0 ? "" : ",") + std::to_string(10000 + i) + ":" + std::to_string(30000 + i);
    return items;
}

struct Crowd
{
    /// The next pod of that namespace, and what its ADD says.
    Answer add(const std::string& kubernetes_namespace)
    {
        pods.push_back(std::make_unique<Pod>(node, PodSpec{.name = "greedy-" + std::to_string(pods.size()),
                                                           .kubernetes_namespace = kubernetes_namespace,
                                                           .annotations = {{"sallyport.dev/remap", every_item()}}}));
        return pods.back()->add();
    }

    Node node;
    std::vector<std::unique_ptr<Pod>> pods;
};

}  // namespace

TEST_CASE("whatever pods of any namespace remap, the gateway's next pod gets its node port", "[room]")
{
    Crowd crowd;
    unsigned refused = 0;
    for (int i = 0; i < 10; ++i)
        refused += crowd.add("team-" + std::to_string(i)).ok() ? 0 : 1;
    CHECK(refused > 0);

    Pod gateway(crowd.node, {.expose = "80:9080, 443:9443"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    CHECK(ask_tcp(crowd.node.client, {node_v4, 80}).starts_with("gateway "));
    CHECK(ask_tcp(crowd.node.client, {node_v6, 80}).starts_with("gateway "));

    require_ok(gateway.del());
    for (const auto& pod : crowd.pods)
        require_ok(pod->del());
    CHECK(crowd.node.footprint() == nothing);
}

TEST_CASE("a namespace has its share of the room, and the refusal says who holds it", "[room]")
{
    Crowd crowd;
    require_ok(crowd.add("team"));
    require_ok(crowd.add("team"));
    const Answer third = crowd.add("team");
    INFO(third.out << third.err);
    CHECK(third.code() == 11);  // try again later
    CHECK(third.mentions("namespace \"team\" may remap 4096 ports"));
    CHECK(third.mentions("team/greedy-0 (2048)"));
    require_ok(crowd.add("others"));  // theirs is their own
}
