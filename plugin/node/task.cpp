// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/task.hpp"

#include "sallyport/error.hpp"

#include <time.h>

#include <algorithm>
#include <utility>

namespace sallyport {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds retry = 5s;
constexpr milliseconds retry_lock = 100ms;
constexpr milliseconds longest_lock = 10s;  ///< each holder needs milliseconds

}  // namespace

Instant thread_cpu_time()
{
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

Task::Task(std::string name, Pace pace, std::function<void()> work, Clock clock, Clock cpu_time)
    : name_(std::move(name)),
      pace_(pace),
      work_(std::move(work)),
      clock_(std::move(clock)),
      cpu_time_(std::move(cpu_time)),
      due_(clock_()),
      last_success_(due_)
{}

void Task::by(Instant then)
{
    due_ = std::min(due_, std::max(then, rests_until_));
}

void Task::soon()
{
    by(clock_() + pace_.gather);
}

void Task::run()
{
    const Instant begin = cpu_time_();
    due_ = Instant::max();  // news that come meanwhile may bring it forward
    const milliseconds wait = attempt();
    const auto used = cpu_time_() - begin;
    const Instant end = clock_();
    rests_until_ = end + std::chrono::duration_cast<Instant::duration>(used * (1 / pace_.share - 1));
    due_ = std::max(std::min(due_, end + wait), rests_until_);
}

/// How long to wait then.
milliseconds Task::attempt()
{
    try {
        work_();
        problem_.clear();
        last_success_ = clock_();
        return pace_.period;
    } catch (const Error& error) {
        if (error.code() == Code::try_again_later) {
            if (clock_() - last_success_ > std::max(longest_lock, 2 * pace_.period))
                problem_ = name_ + ": " + error.what();
            return std::min(pace_.period, retry_lock);
        }
        problem_ = name_ + ": " + error.what();
    } catch (const std::exception& failure) {
        problem_ = name_ + ": " + failure.what();
    }
    return std::min(pace_.period, retry);
}

}  // namespace sallyport
