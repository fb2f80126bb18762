// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "loop.hpp"

#include "sallyport/error.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace sallyport {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void Loop::on_readable(int fd, milliseconds rest, std::function<void()> handler)
{
    sources_[fd] = {std::move(handler), rest, {}};
}

void Loop::run(const std::function<Instant()>& turn)
{
    while (!stopped_) {
        const Instant next = turn();
        if (!stopped_)
            wait(next);
    }
}

void Loop::wait(Instant until)
{
    const Instant now = steady_clock::now();
    std::vector<pollfd> watched;
    for (const auto& [fd, source] : sources_) {
        if (source.rests_until <= now)
            watched.push_back({fd, POLLIN, 0});
        else
            until = std::min(until, source.rests_until);
    }
    // Rounded up, or the last millisecond would be spent in turns without rest.
    const auto patience =
        std::clamp(std::chrono::ceil<milliseconds>(until - now), milliseconds(0), milliseconds(60000));
    if (::poll(watched.data(), watched.size(), static_cast<int>(patience.count())) < 0 && errno != EINTR)
        throw Error(Code::io_failure, "wait for events: " + errno_text(errno));
    for (const pollfd& each : watched) {
        if (each.revents == 0)
            continue;
        const auto source = sources_.find(each.fd);
        if (source == sources_.end())
            continue;  // a handler of this turn has forgotten it
        source->second.rests_until = now + source->second.rest;
        source->second.handler();
    }
}

}  // namespace sallyport
