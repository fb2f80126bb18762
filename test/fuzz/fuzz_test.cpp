// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Packets of every malformed, truncated and hostile kind, and good ones between them, through the real programs.
//   SALLYPORT_FUZZ_PACKETS  how many (100,000); `make fuzz` sends 1,000,000
//   SALLYPORT_FUZZ_SEED     what they are made from (1): the same seed, the same packets
#include "generator.hpp"
#include "oracle.hpp"
#include "stage.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <system_error>

using namespace sallyport;
using namespace sallyport::fuzz;

namespace {

constexpr std::uint64_t between_replacements = 2500;  // packets

std::uint64_t setting(const char* name, std::uint64_t otherwise)
{
    const char* text = std::getenv(name);
    return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string story(const Trial& trial, const std::string& wrong)
{
    return wrong + "\n  on the way " + (trial.way == Way::in ? "in" : "out") + ", verdict " +
           std::to_string(trial.verdict) + "\n  before " + hex(trial.before) + "\n  after  " + hex(trial.after);
}

/// What was wrong with the first packet that something was wrong with; "" where nothing was.
std::string send(Stage& stage, Oracle& oracle, std::uint64_t seed, std::uint64_t packets)
{
    Generator generator(stage, seed);
    for (std::uint64_t number = 1; number <= packets; number++) {
        if (number % between_replacements == 0)
            stage.replace_pod(number / between_replacements);
        const Frame frame = generator.next();
        const std::string name = "packet " + std::to_string(number) + " of seed " + std::to_string(seed) + ": ";
        try {
            test::Outcome outcome = stage.run(frame.way == Way::in, frame.bytes);
            const Trial trial{frame.way, frame.bytes, std::move(outcome.out), outcome.verdict};
            if (const auto wrong = oracle.judge(trial))
                return name + story(trial, *wrong);
        } catch (const std::system_error& error) {
            return name + error.what() + ": " + hex(frame.bytes);
        }
    }
    return "";
}

void print(std::uint64_t seed, std::uint64_t packets, const Oracle::Counts& counts, double seconds)
{
    std::printf("seed %llu: %llu packets, %.0f a second; translated: %u requests, %u replies, %u later fragments, "
                "%u ICMP errors; %u dropped, %u untouched\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(packets),
                static_cast<double>(packets) / seconds, counts.requests, counts.replies, counts.fragments,
                counts.icmp_errors, counts.dropped, counts.untouched);
}

Oracle::Counts send_all_through(Stage& stage)
{
    const std::uint64_t packets = setting("SALLYPORT_FUZZ_PACKETS", 100'000);
    const std::uint64_t seed = setting("SALLYPORT_FUZZ_SEED", 1);
    Oracle oracle(stage.model());
    std::string wrong;
    const auto start = std::chrono::steady_clock::now();
    stage.inside([&] { wrong = send(stage, oracle, seed, packets); });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!wrong.empty())
        FAIL(wrong);
    print(seed, packets, oracle.counts(), took.count());

    // A fuzzer whose packets all pass by shows nothing.
    const Oracle::Counts& counts = oracle.counts();
    CHECK(counts.requests > packets / 20);
    CHECK(counts.replies > packets / 40);
    CHECK(counts.icmp_errors > packets / 200);
    CHECK(counts.dropped < packets / 10);
    return counts;
}

}  // namespace

// No packet is changed that belongs to no node port, and every changed one has right checksums.
TEST_CASE("packets of every kind through the node's programs")
{
    NodeStage stage;
    const Oracle::Counts counts = send_all_through(stage);
    CHECK(counts.fragments > 0);
    CHECK(counts.dropped > 0);  // those that are held
    CHECK(counts.choices > 50);
}

TEST_CASE("packets of every kind through a pod's programs")
{
    PodStage stage;
    send_all_through(stage);
}
