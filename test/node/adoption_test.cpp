// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Gateway pods that were there before the plugin: their runtime is one of the test's, all else is real.
#include "sallyport/adoption.hpp"

#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/node.hpp"
#include "support/refusal.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <functional>
#include <mutex>

using namespace sallyport;
using namespace sallyport::test;

namespace {

using Outcome = AdoptionResult::Outcome;

/// A node whose runtime knows its pods; nobody has called ADD for them.
class EarlierNode : public Node
{
public:
    EarlierNode()
        : server_([this](const std::string& method, const std::string& request) { return answer(method, request); })
    {}

    CriPod& know(const Pod& pod)
    {
        const std::lock_guard guard(mutex_);
        pods_.push_back({.id = pod.container_id,
                         .kubernetes_namespace = pod.spec().kubernetes_namespace,
                         .name = pod.spec().name,
                         .annotations = pod.spec().annotations,
                         .addresses = {pod.v4, pod.v6},
                         .info = info_with_netns(pod.netns.path().string()),
                         .created_at = static_cast<std::int64_t>(pods_.size())});
        return pods_.back();
    }

    void forget_all() { pods_.clear(); }

    std::vector<AdoptionResult> adopt() const
    {
        Config config = parse_entry(plugin.dump());
        config.network = network;
        const CriClient runtime(server_.socket());
        return host.run([&] { return adopt_earlier_pods(runtime, config); });
    }

    std::vector<std::string> calls() { return server_.take_calls(); }

    std::function<void(CriPod&)> before_status = [](CriPod&) {};

private:
    CriAnswer answer(const std::string& method, const std::string& request)
    {
        const std::lock_guard guard(mutex_);
        if (method == "ListPodSandbox")
            return {.message = list_response(pods_)};
        for (CriPod& pod : pods_)
            if (pod.id == asked_sandbox(request)) {
                before_status(pod);
                return {.message = status_response(pod)};
            }
        return {.status = 5, .status_text = "not found"};
    }

    std::mutex mutex_;
    std::vector<CriPod> pods_;
    CriServer server_;
};

const std::string ports = "80:9080, 443:9443/udp";

struct UnaddedGateway
{
    explicit UnaddedGateway(Node& node, const std::string& name = "gateway")
        : pod(node, {.name = name, .expose = ports}),
          tcp(pod.netns, name, {"::", 9080}),
          udp(pod.netns, name, {"::", 9443})
    {}

    Pod pod;
    TcpServer tcp;
    UdpServer udp;
};

}  // namespace

TEST_CASE("an adopted pod has its age: one that is older than who was added before stays behind", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway older(node, "older");
    node.know(older.pod);
    UnaddedGateway younger(node, "younger");
    require_ok(younger.pod.add());
    REQUIRE(node.adopt().size() == 1);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "younger " + client_v4);
    CHECK(ask_udp(node.client, {node_v6, 443}).starts_with("younger " + client_v6));
    CHECK(node.adopt()[0].outcome == Outcome::bound);  // a later agent finds it as it is
    CHECK(ask_tcp(node.client, {node_v6, 80}) == "younger " + client_v6);
    require_ok(younger.pod.del());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "older " + client_v4);
}

TEST_CASE("a gateway that was there before the plugin is bound in place", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway gateway(node);
    node.know(gateway.pod);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");

    const auto results = node.adopt();
    REQUIRE(results.size() == 1);
    CHECK(results[0].outcome == Outcome::adopted);
    CHECK(results[0].pod == "gateways/gateway");
    CHECK(results[0].container_id == gateway.pod.container_id);
    CHECK(results[0].text.find("0.0.0.0:80/tcp -> " + gateway.pod.v4 + ":9080/tcp") != std::string::npos);
    check_serves(node);

    SECTION("and its DEL, which comes as any other's, removes it whole")
    {
        gateway.pod.result = gateway.pod.primary_result;
        require_ok(gateway.pod.del());
        CHECK(node.settled_footprint() == nothing);
    }
    SECTION("and goes when its namespace does, where no DEL comes")
    {
        gateway.pod.netns.remove();
        UnaddedGateway next(node, "next");
        require_ok(next.pod.add());
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "next " + client_v4);
    }
    SECTION("and CHECK finds it as ADD would have left it")
    {
        gateway.pod.result = gateway.pod.primary_result;
        require_ok(gateway.pod.check());
    }
}

TEST_CASE("remaps of an earlier pod work too", "[adoption]")
{
    EarlierNode node;
    Pod pod(node, {.annotations = {{"sallyport.dev/remap", "80:9080"}}});
    const TcpServer server(pod.netns, "gateway", {"::", 9080});
    node.know(pod);
    REQUIRE(node.adopt().at(0).outcome == Outcome::adopted);
    CHECK(ask_tcp(node.client, {pod.v4, 80}) == "gateway " + client_v4);
}

TEST_CASE("a node whose pods are all bound is asked one question", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway gateway(node);
    Pod plain(node, {.name = "plain", .annotations = {{"other", "x"}}});
    node.know(gateway.pod);
    node.know(plain);
    node.adopt();
    node.calls();

    const auto results = node.adopt();
    REQUIRE(results.size() == 1);
    CHECK(results[0].outcome == Outcome::bound);
    CHECK(node.calls() == std::vector<std::string>{"ListPodSandbox"});
}

TEST_CASE("without a gateway nothing is opened for adoption", "[adoption]")
{
    EarlierNode node;
    Pod plain(node, {.annotations = {{"other", "x"}}});
    node.know(plain);
    CHECK(node.adopt().empty());
    CHECK(node.calls() == std::vector<std::string>{"ListPodSandbox"});
    CHECK(node.footprint() == nothing);
    CHECK_FALSE(std::filesystem::exists(node.state_dir()));
}

TEST_CASE("an earlier pod gets the refusals that ADD has", "[adoption]")
{
    EarlierNode node;
    const auto refused = [&](PodSpec spec, const std::string& reason) {
        Pod pod(node, std::move(spec));
        node.know(pod);
        const auto results = node.adopt();
        REQUIRE(results.size() == 1);
        CHECK(results[0].outcome == Outcome::refused);
        CHECK_THAT(results[0].text, Catch::Matchers::ContainsSubstring(reason));
        CHECK(pod.add().message() == results[0].text);
        node.forget_all();
    };
    refused({.kubernetes_namespace = "strangers", .expose = ports}, "namespace \"strangers\" may not use");
    refused({.expose = "22:2222"}, "node port 22 isn't allowed");
    refused({.expose = "80:http"}, "sallyport.dev/expose");
    refused({.annotations = {{"sallyport.dev/exposes", "80:9080"}}}, "did you mean");
    CHECK(node.footprint() == nothing);
}

TEST_CASE("an earlier pod gets no port that another one or a process of the node has", "[adoption]")
{
    EarlierNode node;
    Pod other(node, {.name = "other", .kubernetes_namespace = "others", .expose = "443:9443/udp"});
    require_ok(other.add());
    UnaddedGateway gateway(node);
    node.know(gateway.pod);
    CHECK_THAT(node.adopt().at(0).text, Catch::Matchers::ContainsSubstring("is held by others/other"));

    require_ok(other.del());
    {
        const TcpServer process(node.host, "sshd", {"::", 80});
        CHECK_THAT(node.adopt().at(0).text, Catch::Matchers::ContainsSubstring("node port 80/tcp is taken: process"));
    }
    CHECK(node.adopt().at(0).outcome == Outcome::adopted);
    check_serves(node);
}

TEST_CASE("the youngest of several earlier pods takes new connections", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway older(node, "older");
    UnaddedGateway younger(node, "younger");
    node.know(younger.pod).created_at = 2000;
    node.know(older.pod).created_at = 1000;
    CHECK(node.adopt().size() == 2);
    check_serves(node, "younger");
}

TEST_CASE("a pod that ends while it is adopted is let go", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway gateway(node);
    node.know(gateway.pod);
    SECTION("before it is looked at")
    {
        node.before_status = [](CriPod& pod) { pod.ready = false; };
    }
    SECTION("between the look and the binding")
    {
        node.before_status = [asked = 0](CriPod& pod) mutable { pod.ready = ++asked == 1; };
    }
    CHECK(node.adopt().empty());
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("a pod whose ADD is faster keeps that binding", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway gateway(node);
    node.know(gateway.pod);
    node.before_status = [&](CriPod&) { gateway.pod.add(); };
    const auto results = node.adopt();
    REQUIRE(results.size() == 1);
    CHECK(results[0].outcome == Outcome::bound);
    check_serves(node);
}

TEST_CASE("pods that can't be reached are told with the reason", "[adoption]")
{
    EarlierNode node;
    UnaddedGateway gateway(node);
    CriPod& known = node.know(gateway.pod);
    const auto reason = [&] { return node.adopt().at(0).text; };
    SECTION("in the node's own network")
    {
        known.host_network = true;
        CHECK_THAT(reason(), Catch::Matchers::ContainsSubstring("hostNetwork"));
    }
    SECTION("without a path")
    {
        known.info = "{}";
        CHECK_THAT(reason(), Catch::Matchers::ContainsSubstring("doesn't tell its network namespace"));
    }
    SECTION("with a path that leads nowhere")
    {
        known.info = info_with_netns("/run/netns/gone");
        CHECK_THAT(reason(), Catch::Matchers::ContainsSubstring("/run/netns/gone"));
    }
    SECTION("without its address")
    {
        known.addresses = {"10.9.9.9"};
        CHECK_THAT(reason(), Catch::Matchers::ContainsSubstring("while the container runtime says 10.9.9.9"));
    }
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a runtime that can't be asked is no pod's fault", "[adoption]")
{
    const Node node;
    const CriClient nobody("/run/nobody.sock");
    require_refusal([&] { adopt_earlier_pods(nobody, parse_entry(node.plugin.dump())); }, Code::try_again_later,
                    {"/run/nobody.sock", "--cri-socket"});
    CHECK(node.footprint() == nothing);
}

TEST_CASE("the usual sockets are found in their order", "[adoption]")
{
    const CriServer server([](const std::string&, const std::string&) { return CriAnswer{}; });
    CHECK(find_cri_socket("auto") == std::nullopt);
    for (const std::filesystem::path path :
         {"/run/k3s/containerd/containerd.sock", "/run/crio/crio.sock", "/run/containerd/containerd.sock"}) {
        std::filesystem::create_directories(path.parent_path());
        std::filesystem::create_symlink(server.socket(), path);
        CHECK(find_cri_socket("auto") == path);
    }
    for (const char* const directory : {"/run/k3s", "/run/crio", "/run/containerd"})
        std::filesystem::remove_all(directory);  // this sandbox's own
}
