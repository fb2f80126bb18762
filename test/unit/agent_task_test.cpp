// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/task.hpp"

#include "sallyport/error.hpp"

#include <catch2/catch_test_macros.hpp>

#include <stdexcept>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

/// A task on a clock of its own, and what each run is to do.
struct Bench
{
    explicit Bench(Pace pace)
        : task("work", pace, [this] { work(); }, [this] { return now; }, [this] { return cpu_time; })
    {}

    std::chrono::milliseconds wait() const { return std::chrono::ceil<std::chrono::milliseconds>(task.due() - now); }

    void run()
    {
        now = std::max(now, task.due());
        task.run();
    }

    Instant now{1000s};
    Instant cpu_time{3s};
    std::function<void()> work = [] {};
    Task task;
};

}  // namespace

TEST_CASE("a task is due at once, and then each period", "[agent][task]")
{
    Bench bench({.period = 2s});
    CHECK(bench.wait() == 0ms);
    bench.run();
    CHECK(bench.wait() == 2s);
    bench.run();
    CHECK(bench.wait() == 2s);
}

TEST_CASE("news are gathered, and make it due earlier, never later", "[agent][task]")
{
    Bench bench({.period = 2s, .gather = 100ms});
    bench.run();
    for (int i = 0; i < 1000; i++)
        bench.task.soon();
    CHECK(bench.wait() == 100ms);
    bench.now += 60ms;
    bench.task.soon();
    CHECK(bench.wait() == 40ms);
    bench.run();
    bench.now += 1950ms;
    bench.task.soon();
    CHECK(bench.wait() == 50ms);
}

TEST_CASE("news that come while it runs aren't lost", "[agent][task]")
{
    Bench bench({.period = 60s, .gather = 100ms});
    bench.work = [&] { bench.task.soon(); };
    bench.run();
    CHECK(bench.wait() == 100ms);
}

TEST_CASE("a task that takes long keeps to its share of the time, whatever the news", "[agent][task]")
{
    Bench bench({.period = 1s, .gather = 100ms, .share = 0.01});
    bench.work = [&] { bench.cpu_time += 50ms; };
    bench.run();
    CHECK(bench.wait() == 4950ms);
    bench.task.soon();
    CHECK(bench.wait() == 4950ms);
    bench.work = [&] { bench.cpu_time += 1ms; };
    bench.run();
    CHECK(bench.wait() == 1s);
    bench.task.soon();
    CHECK(bench.wait() == 100ms);
}

TEST_CASE("waiting for a lock or for a core uses nothing of a task's share up", "[agent][task]")
{
    Bench bench({.period = 1s, .gather = 100ms, .share = 0.01});
    bench.work = [&] { bench.now += 2s; };
    bench.run();
    bench.task.soon();
    CHECK(bench.wait() == 100ms);
}

TEST_CASE("a failure is told with the task's name, tried again, and over with the next success", "[agent][task]")
{
    Bench bench({.period = 60s});
    bench.work = [] { throw Error(Code::io_failure, "read it: no"); };
    bench.run();
    CHECK(bench.task.problem() == "work: read it: no");
    CHECK(bench.wait() == 5s);
    bench.work = [] { throw std::runtime_error("a surprise"); };
    bench.run();
    CHECK(bench.task.problem() == "work: a surprise");
    bench.work = [] {};
    bench.run();
    CHECK(bench.task.problem() == "");
    CHECK(bench.wait() == 60s);
}

TEST_CASE("a lock that somebody has is waited for, and told only once that has lasted", "[agent][task]")
{
    Bench bench({.period = 2s});
    bench.run();
    bench.work = [] { throw Error(Code::try_again_later, "lock: another process has held it"); };
    const auto begin = bench.now;
    while (bench.now < begin + 10s) {
        bench.run();
        CHECK(bench.task.problem() == "");
        CHECK(bench.wait() == 100ms);
    }
    while (bench.now < begin + 13s)
        bench.run();
    CHECK(bench.task.problem() == "work: lock: another process has held it");
    CHECK(bench.wait() == 100ms);
}
