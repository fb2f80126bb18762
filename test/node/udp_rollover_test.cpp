// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A UDP gateway is rolled over while clients keep sending: each stays with the pod that it began with, for as long as
// that pod serves. `make soak`: 20 rollovers.
#include "support/agent.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/soak.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <sstream>
#include <thread>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t most_pods = 32;

/// Which pods still serve. A pod is taken off before its server stops.
using Serving = std::array<std::atomic<bool>, most_pods>;

/// Clients that send, wait for the answer, and send again, all from their first socket.
class Senders
{
public:
    Senders(const Node& node, const Serving& serving) : serving_(serving)
    {
        for (std::size_t i = 0; i < flows_.size(); i++)
            flows_[i].socket = dial(node.client, IPPROTO_UDP, {i % 2 == 0 ? node_v4 : node_v6, 443});
        thread_ = std::thread([this] { send_until_stopped(); });
    }
    ~Senders() { stop(); }

    /// What went wrong; "" if nothing.
    std::string stop()
    {
        stop_ = true;
        if (thread_.joinable())
            thread_.join();
        return wrong_.str();
    }

    std::size_t answers() const { return answers_; }

    /// Whether every client talks to that pod. Those whose pod serves would never come to another.
    bool all_at(std::size_t pod) const
    {
        return std::ranges::all_of(flows_, [&](const Flow& flow) { return flow.pod == pod; });
    }

private:
    struct Flow
    {
        sallyport::UniqueFd socket;
        std::atomic<std::size_t> pod = most_pods;  ///< whom it talks to; most_pods: to nobody yet
    };

    void send_until_stopped()
    {
        while (!stop_)
            for (Flow& flow : flows_)
                exchange(flow);
    }

    void exchange(Flow& flow)
    {
        const std::size_t before = flow.pod;
        const bool lives = before < most_pods && serving_[before];
        if (send(flow.socket.get(), "who", 3, 0) < 0 || !wait_for(flow.socket.get(), POLLIN, lives ? 3s : 50ms))
            return note_silence(flow, lives);
        char buffer[256];
        const ssize_t size = recv(flow.socket.get(), buffer, sizeof(buffer), 0);
        if (size < 0)
            return note_silence(flow, lives);
        // "7 192.168.100.2 3": a pod's name here is its number.
        const std::size_t pod = std::stoul(std::string(buffer, static_cast<std::size_t>(size)));
        answers_++;
        if (before != pod && before < most_pods && serving_[before])
            wrong_ << "pod " << pod << " answered in place of " << before << ", which serves\n";
        flow.pod = pod;
    }

    /// Nothing to complain of where the pod has gone, or went meanwhile.
    void note_silence(const Flow& flow, bool lived)
    {
        if (lived && serving_[flow.pod])
            wrong_ << "pod " << flow.pod << " serves, and was not heard\n";
    }

    const Serving& serving_;
    std::array<Flow, 40> flows_;
    std::atomic<bool> stop_{false};
    std::atomic<std::size_t> answers_{0};
    std::ostringstream wrong_;
    std::thread thread_;
};

}  // namespace

TEST_CASE("no datagram is answered by another pod while the one it began with serves", "[load][udp]")
{
    Node node;
    Serving serving{};
    std::unique_ptr<Pod> pod;
    std::unique_ptr<UdpServer> server;
    const auto start = [&](std::size_t number) {
        auto next = std::make_unique<Pod>(node, PodSpec{.name = std::to_string(number), .expose = "443:9443/udp"});
        require_ok(next->add());
        serving[number] = true;
        auto next_server = std::make_unique<UdpServer>(next->netns, std::to_string(number), Target{"::", 9443});
        return std::pair(std::move(next), std::move(next_server));
    };
    std::tie(pod, server) = start(0);

    Senders senders(node, serving);
    const auto hear_1000 = [&] {
        return eventually([&, wanted = senders.answers() + 1000] { return senders.answers() >= wanted; });
    };
    CHECK(eventually([&] { return senders.all_at(0); }));
    const std::size_t rollovers = amount<std::size_t>(2, 20);
    for (std::size_t i = 1; i <= rollovers; i++) {
        auto [next, next_server] = start(i);
        // The new one takes new flows, the old one keeps its own.
        CHECK(ask_udp(node.client, {node_v4, 443}).starts_with(std::to_string(i) + ' '));
        CHECK(hear_1000());
        CHECK(senders.all_at(i - 1));
        serving[i - 1] = false;
        server.reset();
        require_ok(pod->del());
        CHECK(eventually([&] { return senders.all_at(i); }));
        pod = std::move(next);
        server = std::move(next_server);
    }
    CHECK(senders.stop() == "");
}
