// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "refusal_teller.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr const char* reason = "NodePortRefused";

/// Without news, and for the directory to be there.
constexpr std::chrono::milliseconds look_for_refusals = 5s;

/// For connection, TLS and the answer.
constexpr auto for_an_event = 10s;

constexpr std::chrono::seconds longest_pause = 300s;
constexpr std::size_t max_untold = 256;
constexpr std::size_t max_told = 1024;  // the API server knows the others

}  // namespace

RefusalTeller::RefusalTeller(const Cluster& cluster, std::function<void(const std::string&)> note)
    : cluster_(cluster),
      note_(std::move(note)),
      noted_(IN_MOVED_TO),
      worker_("what refusals are waited for with")
{
    worker_.start("refusals", [this] { run(); });
}

void RefusalTeller::use(const Paths& paths)
{
    const std::lock_guard lock(mutex_);
    state_dir_ = paths.state_dir;
}

void RefusalTeller::run()
{
    while (!worker_.told_to_stop()) {
        try {
            look();
            tell();
        } catch (const std::exception& error) {
            put_off(std::string("tell Kubernetes of refused pods: ") + error.what());
        }
        wait();
    }
}

void RefusalTeller::wait()
{
    std::array<pollfd, 2> news{{{worker_.stop_fd(), POLLIN, 0}, {noted_.fd(), POLLIN, 0}}};
    ::poll(news.data(), news.size(), static_cast<int>(look_for_refusals.count()));
    noted_.drain();
}

void RefusalTeller::look()
{
    std::filesystem::path state_dir;
    {
        const std::lock_guard lock(mutex_);
        state_dir = state_dir_;
    }
    if (state_dir.empty())
        return;
    noted_.watch({refusals_in(state_dir)});
    for (Refusal& refusal : take_refusals(state_dir)) {
        PodEvent event{std::move(refusal.pod_namespace), std::move(refusal.pod_name), std::move(refusal.pod_uid),
                       reason, std::move(refusal.message)};
        const std::string name = name_of_event(event);
        const auto same = [&](const PodEvent& other) { return name_of_event(other) == name; };
        if (!told_.contains(name) && std::ranges::none_of(untold_, same) && untold_.size() < max_untold)
            untold_.push_back(std::move(event));
    }
}

void RefusalTeller::tell()
{
    while (!untold_.empty() && steady_clock::now() >= not_before_) {
        const PodEvent& event = untold_.front();
        post_event(cluster_, event, steady_clock::now() + for_an_event, worker_.stop_fd());
        log_debug("told Kubernetes that pod " + event.pod_namespace + "/" + event.pod_name + " was refused");
        if (told_.size() == max_told)
            told_.clear();
        told_.insert(name_of_event(event));
        untold_.pop_front();
        pause_ = 0s;
        note_("");
    }
}

/// Later each time.
void RefusalTeller::put_off(const std::string& why)
{
    note_(why);
    pause_ = std::clamp<std::chrono::seconds>(2 * pause_, 5s, longest_pause);
    not_before_ = steady_clock::now() + pause_;
}

}  // namespace sallyport
