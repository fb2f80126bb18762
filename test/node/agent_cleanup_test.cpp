// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the agent removes, as nobody else will; and what it doesn't, as it can't be sure.
#include "sallyport/os/file_lock.hpp"
#include "support/agent.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/mount.h>

#include <fstream>
#include <memory>
#include <optional>
#include <vector>

using namespace sallyport::test;
using namespace std::chrono_literals;

TEST_CASE("on a node without gateway pods the agent keeps nothing in the kernel", "[agent][cleanup]")
{
    LocalNode node;
    Agent agent(node);
    agent.wait_until_begun();
    node.host.ip("addr add " + virtual_v4 + "/32 dev eth0\n");
    node.cgroup.add("kubepods.slice");
    std::this_thread::sleep_for(1s);  // for what must not come
    CHECK(node.footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
    CHECK_FALSE(std::filesystem::exists(node.bpffs() / "sallyport"));
    CHECK(agent.end().status == 0);
}

TEST_CASE("a pod that vanished without DEL is released, and the last one leaves nothing", "[agent][cleanup]")
{
    LocalNode node;
    auto vanishing = std::make_unique<Pod>(node, PodSpec{.name = "vanishing", .expose = "8000:9080"});
    require_ok(vanishing->add());
    auto staying = std::make_unique<Pod>(node, PodSpec{.name = "gateway", .expose = "80:9080, 443:9443/udp"});
    require_ok(staying->add());
    TcpServer tcp(staying->netns, "gateway", {"::", 9080});
    UdpServer udp(staying->netns, "gateway", {"::", 9443});
    Agent agent(node);
    agent.wait_until_begun();

    vanishing.reset();
    CHECK(eventually([&] { return node.status().dump().find("vanishing") == std::string::npos; }));
    CHECK(agent.says("pod gateways/vanishing vanished without DEL"));
    check_serves(node);

    staying->netns.remove();
    CHECK(eventually([&] { return !std::filesystem::exists(node.bpffs() / "sallyport"); }));
    INFO(agent.log());
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
}

TEST_CASE("a pod whose namespace can't be seen from the agent is kept, and the operator told", "[agent][cleanup]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080, 443:9443/udp"});
    const TcpServer tcp(pod.netns, "gateway", {"::", 9080});
    const UdpServer udp(pod.netns, "gateway", {"::", 9443});
    require_ok(pod.add());
    // As in a container whose /run/netns doesn't get what is mounted on the node later: the file without the namespace.
    REQUIRE(umount2(pod.netns.path().c_str(), MNT_DETACH) == 0);
    const Agent agent(node);
    CHECK(agent.says("mountPropagation: HostToContainer"));
    std::this_thread::sleep_for(2500ms);  // one look more
    check_serves(node);
}

TEST_CASE("a pod that comes while the agent waits for the lock isn't taken for gone", "[agent][cleanup]")
{
    Node node;
    // As in a container to which new pods' namespaces don't get through.
    const auto hidden = node.directory() / "hidden-agent";
    std::ofstream(hidden) << "#!/bin/sh\nexec unshare --mount --propagation private " << sallyport_binary()
                          << " \"$@\"\n";
    std::filesystem::permissions(hidden, std::filesystem::perms::owner_all);
    std::vector<std::unique_ptr<Pod>> vanishing;
    for (int i = 0; i < 4; i++) {
        vanishing.push_back(std::make_unique<Pod>(
            node, PodSpec{.name = "old-" + std::to_string(i), .expose = std::to_string(8000 + i) + ":9080"}));
        require_ok(vanishing.back()->add());
    }
    const Agent agent(node, "", hidden);
    agent.wait_until_begun();
    const auto state_dir = node.plugin["stateDir"];
    for (auto& old : vanishing) {
        std::optional<sallyport::FileLock> lock(sallyport::FileLock::take(node.state_dir(), 10s));
        old->netns.remove();
        std::this_thread::sleep_for(2500ms);  // the agent sees that, and waits for the lock most of the time
        node.plugin["stateDir"] = (node.directory() / "elsewhere").string();  // a call that has the lock
        Pod pod(node, {.name = "young", .expose = "80:9080"});
        require_ok(pod.add());
        node.plugin["stateDir"] = state_dir;
        lock.reset();
        std::this_thread::sleep_for(500ms);  // the agent has it now, and forgets who is gone
        CHECK(node.status().dump().find("young") != std::string::npos);
        require_ok(pod.del());
    }
    INFO(agent.log());
}

TEST_CASE("a node port that waited in vain for another pod ends", "[agent][cleanup]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080", .annotations = {{"sallyport.dev/hold", "1s"}}});
    require_ok(pod.add());
    const Agent agent(node);
    agent.wait_until_begun();
    require_ok(pod.del());
    CHECK(std::filesystem::exists(node.bpffs() / "sallyport"));
    CHECK(eventually([&] { return !std::filesystem::exists(node.bpffs() / "sallyport"); }));
    INFO(agent.log());
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("remains of a call that was killed are removed", "[agent][cleanup]")
{
    Node node;
    std::filesystem::create_directories(node.bpffs() / "sallyport/maps");
    const Agent agent(node);
    CHECK(eventually([&] { return !std::filesystem::exists(node.bpffs() / "sallyport"); }));
    INFO(agent.log());
}

TEST_CASE("a settle time begins when the pod listens, without any client", "[agent][cleanup]")
{
    Node node;
    const auto gateway = [](const std::string& name) {
        return PodSpec{.name = name, .expose = "80:9080", .annotations = {{"sallyport.dev/settle", "2s"}}};
    };
    Pod older(node, gateway("older"));
    const TcpServer older_server(older.netns, "older", {"::", 9080});
    require_ok(older.add());
    Pod younger(node, gateway("younger"));
    const TcpServer younger_server(younger.netns, "younger", {"::", 9080});
    require_ok(younger.add());
    const Agent agent(node);
    agent.wait_until_begun();
    std::this_thread::sleep_for(5s);  // the settle time, and a look of the agent's before it
    // The first client: without the agent, the settle time would begin only now.
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "younger " + client_v4);
}

TEST_CASE("pods that are refused a taken node port are counted on the node, each once", "[agent][conflicts]")
{
    Node node;
    const auto count = [&] {
        std::string number;
        std::ifstream(node.state_dir() / "conflicts") >> number;
        return number;
    };
    Pod first(node, {.expose = "80:9080"});
    require_ok(first.add());
    Pod second(node, {.name = "other", .kubernetes_namespace = "others", .expose = "80:9080"});
    for (int i = 1; i <= 3; i++) {
        second.container_id = "try-" + std::to_string(i);  // as the kubelet does
        const Answer refused = second.add();
        CHECK(refused.code() == 101);
        CHECK(refused.mentions("; or delete this pod, so that it may land elsewhere"));
        CHECK(count() == "1");
    }
    Pod third(node, {.name = "third", .kubernetes_namespace = "others", .expose = "80:9080"});
    CHECK(third.add().code() == 101);
    CHECK(count() == "2");
    Pod forbidden(node, {.name = "forbidden", .expose = "22:9080"});
    CHECK(forbidden.add().code() == 100);
    CHECK(count() == "2");
    require_ok(first.del());
    require_ok(third.add());
    CHECK(count() == "2");
}
