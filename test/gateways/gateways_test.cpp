// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// How real servers end behind a node port, as Kubernetes ends their pods: the word first, a short preStop, then the
// signal. `make gateways` tries more servers than `make test`, and each without Kubernetes' word as well, of which it
// asserts nothing: what an ending server does to those who still come is its own affair, and goes into the table.
#include "gateways/clients.hpp"
#include "gateways/container.hpp"
#include "support/agent.hpp"
#include "support/pod_of.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>

#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

constexpr auto pre_stop = 500ms;
constexpr auto grace = 10s;

/// A cluster's API server and our agent, which hears of the pods from there.
struct Kubernetes
{
    explicit Kubernetes(const Node& node) : server(node.host), pod_of(server)
    {
        server.list({}, "1");
        agent.emplace(node);
        agent->wait_until_begun();
    }

    void tell(const Pod& pod, const char* event, bool ready)
    {
        server.send(event, api_pod(pod, std::to_string(++version), ready));
    }

    void tell_end(const Pod& pod, const char* event, bool ready)
    {
        server.send(event, ending(api_pod(pod, std::to_string(++version), ready)));
    }

    ApiServer server;
    PodOf pod_of;
    std::optional<Agent> agent;
    int version = 1;
};

struct Gateway
{
    std::unique_ptr<Pod> pod;
    std::unique_ptr<Container> container;
};

/// A node whose port 80 clients ask, with Kubernetes' word or without.
class Stage
{
public:
    Stage(const Server& server, bool with_word) : server_(server)
    {
        if (with_word)
            kubernetes_.emplace(node_);
    }

    /// A pod that is Ready.
    Gateway begin(const std::string& name, std::map<std::string, std::string> annotations = {})
    {
        PodSpec spec{.name = name, .expose = "80:9080", .settles_by_default = true};
        spec.annotations = std::move(annotations);
        Gateway gateway{std::make_unique<Pod>(node_, spec), nullptr};
        if (kubernetes_)
            kubernetes_->tell(*gateway.pod, "ADDED", false);
        require_ok(gateway.pod->add());
        gateway.container = std::make_unique<Container>(node_, *gateway.pod, server_);
        if (kubernetes_)
            kubernetes_->tell(*gateway.pod, "MODIFIED", true);
        return gateway;
    }

    void end(Gateway& gateway)
    {
        if (kubernetes_)
            kubernetes_->tell_end(*gateway.pod, "MODIFIED", true);
        std::this_thread::sleep_for(pre_stop);
        gateway.container->end(grace);
        require_ok(gateway.pod->del());
        if (kubernetes_)
            kubernetes_->tell_end(*gateway.pod, "DELETED", false);
    }

    void ask_for(std::chrono::milliseconds time)
    {
        if (!clients_)
            clients_.emplace(node_.client, Target{node_v4, 80});
        std::this_thread::sleep_for(time);
    }

    /// What they have heard, for `time` more.
    Answers answers_after(std::chrono::milliseconds time)
    {
        ask_for(time);
        return clients_->stop();
    }

private:
    const Server& server_;
    Node node_;
    std::optional<Kubernetes> kubernetes_;
    std::optional<Clients> clients_;
};

Answers rollover(Stage& stage)
{
    Gateway older = stage.begin("older");
    stage.ask_for(300ms);
    const Gateway younger = stage.begin("younger");
    stage.ask_for(500ms);
    stage.end(older);
    return stage.answers_after(300ms);
}

Answers one_of_two_ends(Stage& stage, const std::string& share)
{
    const Gateway older = stage.begin("older", {{"sallyport.dev/share", share}});
    Gateway younger = stage.begin("younger", {{"sallyport.dev/share", share}});
    stage.ask_for(800ms);
    stage.end(younger);
    return stage.answers_after(300ms);
}

Answers the_only_one_ends(Stage& stage)
{
    Gateway only = stage.begin("only", {{"sallyport.dev/hold", "20s"}});
    stage.ask_for(300ms);
    stage.end(only);
    stage.ask_for(500ms);
    const Gateway next = stage.begin("next", {{"sallyport.dev/hold", "20s"}});
    return stage.answers_after(500ms);
}

/// A row of `make gateways`' table for each server; with Kubernetes' word nothing may fail.
void play(const std::string& name, const std::function<Answers(Stage&)>& scene)
{
    for (const Server& server : servers()) {
        std::string row = server.name + " | " + name;
        for (const bool with_word : {true, false}) {
            if (!with_word && !all_are_asked_for())
                continue;
            Stage stage(server, with_word);
            const Answers answers = scene(stage);
            row += " | " + answers.to_string();
            CAPTURE(server.name, answers.to_string());
            CHECK(answers.requests > 20);
            if (with_word)
                CHECK(answers.failures.empty());
        }
        std::cout << row << std::endl;
    }
}

}  // namespace

TEST_CASE("gateways: the older of two ends, newest", "[gateways]")
{
    play("the older ends, newest", rollover);
}

TEST_CASE("gateways: the younger of two ends, newest", "[gateways]")
{
    play("the younger ends, newest", [](Stage& stage) { return one_of_two_ends(stage, "newest"); });
}

TEST_CASE("gateways: one of two ends, spread", "[gateways]")
{
    play("one of two ends, spread", [](Stage& stage) { return one_of_two_ends(stage, "spread"); });
}

TEST_CASE("gateways: the only one ends, and the next begins a moment later, with hold", "[gateways]")
{
    play("the only one ends, hold", the_only_one_ends);
}
