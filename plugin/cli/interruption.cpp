// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "interruption.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace sallyport {

namespace {

/// How soon the end of a reader is noticed while nothing is written.
constexpr std::chrono::milliseconds longest_nap{500};

bool reader_is_gone()
{
    pollfd out{STDOUT_FILENO, 0, 0};
    return ::poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

void ignore(int) {}

}  // namespace

Interruption::Interruption() : pipe_before_(std::signal(SIGPIPE, SIG_IGN))
{
    sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH})
        sigaddset(&signals_, number);
    std::signal(SIGWINCH, ignore);  // a signal whose default is to be ignored is thrown away, waited for or not
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

Interruption::~Interruption()
{
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    std::signal(SIGWINCH, SIG_DFL);
    std::signal(SIGPIPE, pipe_before_);
}

bool Interruption::comes_within(std::chrono::milliseconds time) const
{
    const auto end = std::chrono::steady_clock::now() + time;
    for (;;) {
        if (reader_is_gone())
            return true;
        const auto left = std::clamp<std::chrono::nanoseconds>(end - std::chrono::steady_clock::now(),
                                                               std::chrono::nanoseconds(0), longest_nap);
        const timespec wait{static_cast<time_t>(left.count() / 1'000'000'000), left.count() % 1'000'000'000};
        const int number = sigtimedwait(&signals_, nullptr, &wait);
        if (number == SIGWINCH)
            return false;
        if (number > 0)
            return true;
        if (std::chrono::steady_clock::now() >= end)
            return false;
    }
}

}  // namespace sallyport
