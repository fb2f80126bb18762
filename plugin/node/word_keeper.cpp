// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "word_keeper.hpp"

#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"
#include "sallyport/words.hpp"

#include <poll.h>
#include <sys/inotify.h>

#include <array>
#include <utility>

namespace sallyport {

namespace {

using std::chrono::steady_clock;

/// A pod may have been bound without our being told (DirectoryWatch), or before the lock's directory was there.
constexpr std::chrono::milliseconds look_after{1000};

/// Whatever Kubernetes changes meanwhile is written at once.
constexpr std::chrono::milliseconds gather_words{2};

/// Leaves alone what is written already, unless it is time to say it again.
void write_words(Bindings& bindings, const PodWords& said, bool renew)
{
    const auto pods = bindings.pods();
    if (pods.empty())
        return;
    const auto before = bindings.words();
    auto words = words_on(pods, said, before, steady_clock::now(), std::chrono::system_clock::now());
    if (!renew)
        std::erase_if(words, [&](const auto& word) {
            const auto written = before.find(word.first);
            return written != before.end() && written->second == word.second;
        });
    if (renew || !words.empty())
        bindings.hear(words);
}

}  // namespace

WordKeeper::WordKeeper(const Cluster& cluster, std::function<void(const std::string&)> note)
    : node_(cluster.node),
      note_(std::move(note)),
      watch_(cluster),
      commands_(IN_CLOSE_WRITE),
      worker_("what Kubernetes' word is waited for with")
{
    worker_.start("words", [this] { run(); });
}

void WordKeeper::use(const Paths& paths)
{
    const std::lock_guard lock(mutex_);
    paths_ = paths;
}

void WordKeeper::run()
{
    do {
        wait();
        write();
    } while (!worker_.told_to_stop(gather_words));
}

/// For news of Kubernetes, of pods that are bound, or for the time to look anyway.
void WordKeeper::wait()
{
    std::array<pollfd, 3> news{{{worker_.stop_fd(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}, {commands_.fd(), POLLIN, 0}}};
    ::poll(news.data(), news.size(), static_cast<int>(look_after.count()));
    if (news[1].revents != 0)
        take_view();
    commands_.drain();
}

void WordKeeper::take_view()
{
    const bool heard_before = view_.complete;
    view_ = watch_.take();
    if (view_.complete && !heard_before)
        log_info("Kubernetes' word on the pods of " + node_ + " is followed: " + std::to_string(view_.pods.size()));
}

void WordKeeper::write()
{
    std::optional<Paths> paths;
    {
        const std::lock_guard lock(mutex_);
        paths = paths_;
    }
    std::string problem = view_.problem;
    try {
        const Instant now = steady_clock::now();
        if (paths && view_.complete && !view_.lost_since) {
            commands_.watch({paths->state_dir});
            const bool renew = now >= renew_at_;
            if (auto datapath = Datapath::find(*paths))
                write_words(datapath->bindings(), view_.pods, renew);
            if (renew)
                renew_at_ = now + renew_after;
        }
    } catch (const std::exception& error) {
        problem = std::string("write down what Kubernetes says of this node's pods: ") + error.what();
    }
    note_(problem);
}

}  // namespace sallyport
