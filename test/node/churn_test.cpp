// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A full node: 110 pods, gateways and plain ones mixed, eight calls at a time, in every order.
#include "support/node.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

using namespace sallyport::test;

namespace {

constexpr unsigned pods_on_a_node = 110;
constexpr unsigned at_a_time = 8;

using Pods = std::vector<std::unique_ptr<Pod>>;

/// Calls `work` for every pod, eight at a time; returns what failed.
std::vector<std::string> for_all(const Pods& pods, const std::function<Answer(Pod&)>& work)
{
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::vector<std::string> failures;
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < at_a_time; i++)
        workers.emplace_back([&] {
            for (std::size_t index = next++; index < pods.size(); index = next++) {
                const Answer answer = work(*pods[index]);
                if (answer.ok())
                    continue;
                const std::lock_guard lock(mutex);
                failures.push_back(pods[index]->full_name() + ": " + answer.out + answer.err);
            }
        });
    for (std::thread& worker : workers)
        worker.join();
    return failures;
}

/// Every third pod is plain; of the gateways, some share port 80 and the others have one of their own.
PodSpec spec_of(unsigned number)
{
    const std::string own_port = std::to_string(8000 + number) + ":9080";
    PodSpec spec{.name = "pod-" + std::to_string(number)};
    if (number % 3 != 0)
        spec.expose = own_port + (number % 12 == 1 ? ", 80:9080" : "");
    return spec;
}

}  // namespace

TEST_CASE("110 pods come and go, eight at a time, without an error or a leftover", "[churn]")
{
    Node node;
    std::mt19937 random(GENERATE(1U, 2U, 3U));
    Pods pods;
    for (unsigned number = 0; number < pods_on_a_node; number++)
        pods.push_back(std::make_unique<Pod>(node, spec_of(number)));

    std::shuffle(pods.begin(), pods.end(), random);
    CHECK(for_all(pods, [](Pod& pod) { return pod.add(); }) == nothing);
    for (const auto& pod : pods) {
        if (pod->spec().expose.empty())
            continue;
        TcpServer server(pod->netns, pod->spec().name, {"::", 9080});
        const auto port = static_cast<std::uint16_t>(std::stoi(pod->spec().expose));
        CHECK(ask_tcp(node.client, {node_v4, port}) == pod->spec().name + ' ' + client_v4);
    }

    std::shuffle(pods.begin(), pods.end(), random);
    CHECK(for_all(pods, [](Pod& pod) { return pod.del(); }) == nothing);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("pods that come while others go", "[churn]")
{
    Node node;
    Pods pods;
    for (unsigned number = 0; number < 40; number++)
        pods.push_back(std::make_unique<Pod>(node, spec_of(number)));
    // Each pod comes and goes five times, whatever the others do; in between the node may be empty of ours.
    const auto failures = for_all(pods, [](Pod& pod) {
        for (int i = 0; i < 5; i++) {
            if (Answer added = pod.add(); !added.ok())
                return added;
            if (Answer removed = pod.del(); !removed.ok())
                return removed;
        }
        return Answer{};
    });
    CHECK(failures == nothing);
    CHECK(node.footprint() == nothing);
}
