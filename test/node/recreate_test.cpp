// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `hold`: between the last pod and the next one, clients wait instead of being refused.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/soak.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

/// Clients that open one connection after the other, some over IPv4 and some over IPv6, until told to stop.
class Askers
{
public:
    explicit Askers(const Node& node)
    {
        for (int i = 0; i < 6; i++)
            threads_.emplace_back([this, &node, i] {
                while (!stop_) {
                    const std::string answer =
                        ask_tcp(node.client, {i % 2 == 0 ? node_v4 : node_v6, 80}, {.limit = 20s});
                    const std::lock_guard lock(mutex_);
                    answers_[answer.substr(0, answer.find(' '))]++;
                }
            });
    }
    ~Askers() { stop(); }

    /// Waits until somebody has heard that answer. A client that waits repeats itself after 1, 3, 7 and 15 seconds.
    bool hear(const std::string& answer)
    {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < end) {
            {
                const std::lock_guard lock(mutex_);
                if (answers_.contains(answer))
                    return true;
            }
            std::this_thread::sleep_for(10ms);
        }
        return false;
    }

    /// How often each answer came: a pod's name, `refused`, `silence`, ...
    std::map<std::string, unsigned> stop()
    {
        stop_ = true;
        for (std::thread& thread : std::exchange(threads_, {}))
            thread.join();
        return answers_;
    }

private:
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::map<std::string, unsigned> answers_;
    std::vector<std::thread> threads_;
};

PodSpec holding_spec(const std::string& name, const std::string& hold)
{
    return {.name = name, .expose = "80:9080", .annotations = {{"sallyport.dev/hold", hold}}};
}

}  // namespace

TEST_CASE("with hold, a gap of 3 seconds without any pod refuses nobody", "[load][hold]")
{
    Node node;
    // The last pod of the node may go, or another port's may stay: its state mustn't go with it.
    const bool others_stay = GENERATE(false, true);
    Pod other(node, {.name = "other", .expose = "443:9443"});
    if (others_stay)
        require_ok(other.add());

    auto pod = std::make_unique<Pod>(node, holding_spec("gateway-0", "15s"));
    auto server = std::make_unique<TcpServer>(pod->netns, "gateway-0", Target{"::", 9080});
    require_ok(pod->add());
    Askers askers(node);
    const int recreations = amount(1, 5);
    for (int i = 1; i <= recreations; i++) {
        CHECK(askers.hear("gateway-" + std::to_string(i - 1)));
        require_ok(pod->del());
        server.reset();
        std::this_thread::sleep_for(3s);
        const std::string name = "gateway-" + std::to_string(i);
        pod = std::make_unique<Pod>(node, holding_spec(name, "15s"));
        require_ok(pod->add());
        server = std::make_unique<TcpServer>(pod->netns, name, Target{"::", 9080});
    }
    CHECK(askers.hear("gateway-" + std::to_string(recreations)));
    std::map<std::string, unsigned> answers = askers.stop();
    CHECK(answers["refused"] == 0);
    CHECK(answers["silence"] == 0);
    // One that was served by the old pod as it went has been cut off; nothing else went wrong.
    for (const auto& [answer, count] : answers)
        CHECK((answer.starts_with("gateway-") || count <= 6U * static_cast<unsigned>(recreations)));
}

TEST_CASE("hold ends: after its time, clients are refused again", "[hold]")
{
    Node node;
    Pod gateway(node, holding_spec("gateway", "2s"));
    require_ok(gateway.add());
    for (const std::string& address : {node_v4, node_v6}) {
        CHECK(ask_tcp(node.client, {address, 80}, {.limit = impatience}) == "silence");
        CHECK(ask_tcp(node.client, {address, 80}) == "refused");  // at the first repetition after 2 s
        TcpServer server(gateway.netns, "gateway", {"::", 9080});
        CHECK(ask_tcp(node.client, {address, 80}).starts_with("gateway "));
    }
}

TEST_CASE("a connection that waits is taken by the listener that comes", "[hold]")
{
    Node node;
    Pod gateway(node, holding_spec("gateway", "15s"));
    require_ok(gateway.add());
    std::vector<std::string> answers(8);
    std::vector<std::thread> waiting;
    for (std::size_t i = 0; i < answers.size(); i++)
        waiting.emplace_back([&, i] { answers[i] = ask_tcp(node.client, {i % 2 == 0 ? node_v4 : node_v6, 80}); });
    std::this_thread::sleep_for(impatience);
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    for (std::thread& thread : waiting)
        thread.join();
    for (std::size_t i = 0; i < answers.size(); i++)
        CHECK(answers[i] == "gateway " + (i % 2 == 0 ? client_v4 : client_v6));
}
