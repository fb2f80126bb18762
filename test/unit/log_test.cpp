// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/log.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <thread>

using namespace sallyport;

TEST_CASE("the agent's log changes its level while other threads write to it", "[log]")
{
    std::atomic<bool> stop{false};
    log_to_stderr("error");
    std::thread writer([&] {
        while (!stop)
            log_info("not shown");
    });
    for (int i = 0; i < 20'000; i++)  // the sanitizer sees what goes wrong
        log_to_stderr(i % 2 == 0 ? "warn" : "error");
    stop = true;
    writer.join();
    log_to({.file = "/nonexistent/log", .level = "info"});  // silent again
    SUCCEED();
}
