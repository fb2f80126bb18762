// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent with all its parts, as an operator meets it.
#include "sallyport/listed.hpp"

#include "support/agent.hpp"
#include "support/content.hpp"
#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/echo.hpp"
#include "support/flood.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/soak.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

std::filesystem::path list_of(const Node& node)
{
    return cni_conf_dir(node) / "05-cilium.conflist";
}

/// What Cilium writes at its start, over whatever stands there, in one step.
void write_cilium_list(const Node& node)
{
    std::filesystem::create_directories(cni_conf_dir(node));
    const Json list{{"cniVersion", "0.3.1"}, {"name", "cilium"}, {"plugins", {{{"type", "cilium-cni"}}}}};
    const auto fresh = cni_conf_dir(node) / "05-cilium.conflist.tmp";
    std::ofstream(fresh) << list.dump(2) << '\n';
    std::filesystem::rename(fresh, list_of(node));
}

std::optional<Json> our_entry(const Node& node)
{
    const Json list = Json::parse(content(list_of(node)));
    for (const Json& plugin : list.at("plugins"))
        if (plugin.at("type") == "sallyport")
            return plugin;
    return std::nullopt;
}

/// While it lives, pods are added by the plugin that the agent has installed, with the entry that it has put into the
/// list.
class Chain
{
public:
    explicit Chain(Node& node)
    {
        node.plugin = our_entry(node).value();
        if (const char* set = std::getenv("SALLYPORT_BIN"))
            before_ = set;
        setenv("SALLYPORT_BIN", (cni_bin_dir(node) / "sallyport").c_str(), 1);
    }
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    ~Chain() { before_ ? setenv("SALLYPORT_BIN", before_->c_str(), 1) : unsetenv("SALLYPORT_BIN"); }

private:
    std::optional<std::string> before_;
};

Output uninstall(const Node& node, const Agent& agent)
{
    Invocation call{
        .argv = {sallyport_binary(), "uninstall", "--config", agent.config.file().string(), "--cri-socket", "off"},
        .netns = &node.host};
    for (const std::string& word : directory_arguments(node))
        call.argv.push_back(word);
    return execute(call);
}

}  // namespace

TEST_CASE("an operator's day: from an agent without a network to a node without a trace", "[agent][day]")
{
    LocalNode node;
    std::optional<Agent> agent(std::in_place, node);

    // The primary plugin hasn't come yet.
    CHECK(agent->readiness_is(503, "CNI chain: "));
    CHECK(agent->get("/healthz").status == 200);
    CHECK(std::filesystem::is_empty(cni_conf_dir(node)));
    CHECK(node.footprint() == nothing);

    // It comes; and it comes again, as at each of its starts.
    for (int i = 0; i < 2; i++) {
        write_cilium_list(node);
        CHECK(eventually([&] { return our_entry(node).has_value(); }));
        CHECK(agent->readiness_is(200, "ok"));
    }
    INFO(agent->log());

    std::optional<Pod> pod;
    {
        const Chain chain(node);
        pod.emplace(node, PodSpec{.expose = "80:9080, 443:9443/udp"});
        require_ok(pod->add());
    }
    CHECK(agent->get("/ports/80").status == 503);
    const TcpServer tcp(pod->netns, "gateway", {"::", 9080});
    const UdpServer udp(pod->netns, "gateway", {"::", 9443});
    CHECK(agent->get("/ports/80").status == 200);
    CHECK(agent->get("/ports/443/udp").status == 200);
    CHECK(agent->get("/metrics").body.find("sallyport_node_ports{") != std::string::npos);
    check_serves(node);

    // The agent's end: it says so while it still serves.
    agent->terminate();
    CHECK(agent->readiness_is(503, "told to end"));
    CHECK(agent->wait().status == 0);
    CHECK(agent->get("/readyz").status == 0);
    check_serves(node);
    CHECK(our_entry(node).has_value());

    agent.emplace(node);
    CHECK(agent->readiness_is(200));
    CHECK(agent->get("/ports/80").status == 200);
    CHECK(agent->end().status == 0);

    const Output output = uninstall(node, *agent);
    INFO(output.out << output.err);
    CHECK(output.status == 0);
    CHECK_FALSE(our_entry(node).has_value());
    CHECK_FALSE(std::filesystem::exists(cni_bin_dir(node) / "sallyport"));
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
    CHECK_FALSE(std::filesystem::exists(node.state_dir() / "agents"));
}

TEST_CASE("a changed configuration reaches the chain, a broken one doesn't", "[agent][day]")
{
    Node node;
    write_cilium_list(node);
    Agent agent(node);
    CHECK(agent.readiness_is(200));
    Json entry = node.plugin;
    entry["gateways"]["ports"] = {80, 8443};
    agent.config.replace(entry.dump());
    CHECK(eventually(
        [&] { return our_entry(node).value_or(Json::object()).value("gateways", Json()) == entry["gateways"]; }));
    entry["gateways"]["ports"] = {"http"};
    agent.config.replace(entry.dump());
    CHECK(agent.readiness_is(503, "/gateways/ports/0"));
    CHECK(our_entry(node)->at("gateways").at("ports") == Json{80, 8443});
    CHECK(agent.get("/healthz").status == 200);
}

TEST_CASE("the agent binds a gateway that was started before our entry was in place", "[agent][day]")
{
    Node node;
    Pod pod(node, {.expose = "80:9080, 443:9443/udp"});
    const TcpServer tcp(pod.netns, "gateway", {"::", 9080});
    const UdpServer udp(pod.netns, "gateway", {"::", 9443});
    const CriPod known{.id = pod.container_id,
                       .kubernetes_namespace = pod.spec().kubernetes_namespace,
                       .name = pod.spec().name,
                       .annotations = pod.spec().annotations,
                       .addresses = {pod.v4, pod.v6},
                       .info = info_with_netns(pod.netns.path().string())};
    const CriServer runtime([&](const std::string& method, const std::string&) -> CriAnswer {
        if (method == "Version")
            return {.message = version_response("containerd", "v1.7.24")};
        return {.message = method == "ListPodSandbox" ? list_response({known}) : status_response(known)};
    });
    Agent agent(node, "", sallyport_binary(), runtime.socket().string());
    CHECK(agent.readiness_is(503));
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    write_cilium_list(node);
    CHECK(agent.says("was started before our entry was in place"));
    INFO(agent.log());
    check_serves(node);
    CHECK(agent.readiness_is(200));
    require_ok(pod.del());
    CHECK(node.settled_footprint() == nothing);
}

namespace {

/// The number behind `name` in metrics; fails the test where there is none.
double value_of(const std::string& metrics, const std::string& name)
{
    const auto at = metrics.find("\n" + name + " ");
    REQUIRE(at != std::string::npos);
    return std::stod(metrics.substr(at + 1 + name.size()));
}

/// Milliseconds that a scrape takes that nobody else shares; the median of several.
double scrape_time(const Agent& agent)
{
    std::vector<double> times;
    for (int i = 0; i < 11; i++) {
        std::this_thread::sleep_for(600ms);  // a look at the tables serves for half a second
        const auto start = std::chrono::steady_clock::now();
        CHECK(agent.get("/metrics").status == 200);
        times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + 5, times.end());
    return times[5];
}

}  // namespace

TEST_CASE("the agent stays small with 1,000 node ports and 100,000 flows", "[load][agent][day]")
{
    LocalNode node;
    node.plugin["gateways"]["ports"] = {"8000-8999"};
    std::vector<std::unique_ptr<Pod>> pods;
    for (int i = 0; i < 50; i++) {
        const std::string expose = sallyport::listed(std::views::iota(8000 + 20 * i, 8020 + 20 * i),
                                                     [](int port) { return std::to_string(port) + ":9080"; });
        pods.push_back(std::make_unique<Pod>(node, PodSpec{.name = "gateway-" + std::to_string(i), .expose = expose}));
        require_ok(pods.back()->add());
    }
    const EchoServer server(pods.front()->netns, {"::", 9080});
    flood(node, 8000, 100'000);
    write_cilium_list(node);
    Agent agent(node);
    CHECK(agent.readiness_is(200));
    const std::string metrics = agent.get("/metrics").body;
    CHECK(metrics.find("sallyport_node_ports{port=\"8999\"") != std::string::npos);
    CHECK(value_of(metrics, "sallyport_flows{tier=\"new\"}") > 99'000);
    WARN("a scrape takes " << scrape_time(agent) << " ms");
    const Cost before = agent.cost();
    const std::chrono::milliseconds rest = amount(5s, 60s);
    std::this_thread::sleep_for(rest);
    const Cost after = agent.cost();
    WARN(in_words(before, after, rest));
    CHECK(after.resident_kib < 20 * 1024);
    CHECK(after.cpu - before.cpu <= rest / 10);
}
