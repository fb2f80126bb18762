// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tables of another version of ours, whose layout nobody here knows: nothing misreads them, pods come and go with the
// plugin that made them, and the new version moves in after the last one.
#include "support/agent.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traps.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <optional>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

struct NodeOfAnotherVersion : Node
{
    /// `pretend`: what of the tables is another version's; by default all that we would read.
    explicit NodeOfAnotherVersion(void (*pretend)(const fs::path&) = pretend_another_abi)
    {
        require_ok(pod.add());
        pretend(bpffs());
        directory_arguments(*this);
        std::ofstream(cni_bin_dir(*this) / "sallyport") << "the other version's";
        const Json list{{"cniVersion", "0.3.1"}, {"name", "pods"}, {"plugins", {{{"type", "ptp"}}}}};
        std::ofstream(cni_conf_dir(*this) / "05-pods.conflist") << list.dump();
    }

    bool has_other_plugin() const { return fs::file_size(cni_bin_dir(*this) / "sallyport") < 100; }

    Output run(const std::string& command, const fs::path& config) const
    {
        Invocation call{.argv = {sallyport_binary(), command, "--config", config, "--cri-socket", "off"},
                        .netns = &host};
        for (const std::string& word : directory_arguments(*this))
            call.argv.push_back(word);
        return execute(call);
    }

    Pod pod{*this, {.expose = "80:9080, 443:9443/udp"}};
    std::optional<TcpServer> tcp{std::in_place, pod.netns, "gateway", Target{"::", 9080}};
    UdpServer udp{pod.netns, "gateway", {"::", 9443}};
};

}  // namespace

TEST_CASE("CNI calls before another version's tables: ADD refuses, nothing else fails, traffic flows", "[abi]")
{
    NodeOfAnotherVersion node;
    const auto before = node.footprint();
    Pod other(node, {.name = "other", .expose = "8000:9080"});
    const Answer answer = other.add();
    CHECK(answer.code() == 103);
    CHECK(answer.out.find("ABI") != std::string::npos);
    require_ok(other.del());
    require_ok(node.pod.del());
    require_ok(node.call("GC", {{"cni.dev/valid-attachments", Json::array()}}));
    Pod plain(node, {.name = "plain"});
    require_ok(plain.add());
    require_ok(plain.del());
    CHECK(node.footprint() == before);
    CHECK(node.tool({"status"}).status == 1);
}

TEST_CASE("the agent leaves another version's plugin where it is until its tables are gone", "[abi][agent]")
{
    NodeOfAnotherVersion node;
    const auto before = node.footprint();
    const Agent agent(node);
    CHECK(agent.readiness_is(503, "are of ABI"));
    std::this_thread::sleep_for(std::chrono::seconds(3));  // for what must not come
    CHECK(node.has_other_plugin());
    CHECK(node.footprint() == before);
    CHECK(agent.get("/healthz").status == 200);
    const Output install = node.run("install", agent.config.file());
    CHECK(install.status == 1);
    CHECK(install.err.find("ABI") != std::string::npos);
    CHECK(node.has_other_plugin());

    const Output uninstall = node.run("uninstall", agent.config.file());
    INFO(uninstall.out << uninstall.err << agent.log());
    CHECK(uninstall.status == 0);
    CHECK(uninstall.err.find("can't be told") != std::string::npos);
    CHECK(node.settled_footprint() == nothing);
    CHECK(agent.readiness_is(200));
    CHECK_FALSE(node.has_other_plugin());
}

// What must stay for that, abi.h says at SALLYPORT_ABI.
TEST_CASE("a load balancer is told who serves by another version's tables too, and Prometheus whose they are",
          "[abi][agent]")
{
    NodeOfAnotherVersion node(raise_abi);
    const Agent agent(node);
    REQUIRE(agent.readiness_is(503, "are of ABI"));
    for (const char* path : {"/ports/80", "/ports/80?family=ipv6", "/ports/443/udp"})
        CHECK(agent.get(path).status == 200);
    for (const char* path : {"/ports/81", "/ports/443", "/ports/80/udp"})
        CHECK(agent.get(path).status == 503);

    const HttpAnswer metrics = agent.get("/metrics");
    CHECK(metrics.status == 200);
    CHECK(metrics.body.find("\nsallyport_tables_of_another_abi{abi=\"") != std::string::npos);
    CHECK(metrics.body.find("\nsallyport_build_info{") != std::string::npos);
    for (const char* unknown : {"sallyport_node_ports", "sallyport_flows", "sallyport_drops_total"})
        CHECK(metrics.body.find(unknown) == std::string::npos);  // 0 would be wrong
    const HttpAnswer status = agent.get("/status.json");
    REQUIRE(status.status == 200);
    CHECK(Json::parse(status.body).at("tablesOfAnotherAbi").is_number());

    node.tcp.reset();
    CHECK(agent.get("/ports/80").status == 503);
    CHECK(agent.get("/ports/443/udp").status == 200);
}
