// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"
#include "follower.hpp"
#include "pods.hpp"
#include "socket.hpp"

#include "sallyport/error.hpp"
#include "sallyport/kubernetes.hpp"
#include "sallyport/os/worker.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <mutex>
#include <utility>

namespace sallyport {

using namespace std::chrono_literals;
using kubernetes::Exchange;
using kubernetes::Follower;

namespace {

/// For a page of a list: connection, TLS and all of the answer. A server under load may take its time.
constexpr auto for_a_list = 60s;

/// For a watch to begin, and how much longer than agreed it may last.
constexpr auto for_a_watch = 30s;

constexpr const char* waits_with = "what the Kubernetes client waits with";

}  // namespace

class KubernetesWatch::Thread
{
public:
    explicit Thread(const Cluster& cluster)
        : cluster_(cluster),
          // The same node always waits alike; two nodes don't.
          follower_(cluster.node, static_cast<std::uint32_t>(std::hash<std::string>()(cluster.node))),
          news_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          worker_(waits_with)
    {
        if (!news_)
            throw Error(Code::node_lacks, std::string("make ") + waits_with + " (eventfd): " + errno_text(errno));
        worker_.start("kubernetes", [this] { run(); });
    }

    int fd() const { return news_.get(); }

    KubernetesView take()
    {
        eventfd_t ignored = 0;
        eventfd_read(news_.get(), &ignored);
        const std::lock_guard lock(mutex_);
        return view_;
    }

private:
    void run()
    {
        while (!worker_.told_to_stop()) {
            const Follower::Step step = follower_.next(now());
            try {
                std::visit([this](const auto& what) { take_step(what); }, step);
            } catch (const std::exception& error) {
                follower_.failed(error.what(), now());
            }
            publish();
        }
    }

    static Instant now() { return std::chrono::steady_clock::now(); }

    void take_step(const Follower::Wait& wait) const
    {
        worker_.told_to_stop(
            std::clamp(std::chrono::ceil<std::chrono::milliseconds>(wait.until - now()), 0ms, 60'000ms));
    }

    void take_step(const Follower::List& list)
    {
        Exchange answer(cluster_, {list.target}, {now() + for_a_list, worker_.stop_fd()});
        if (answer.status() == 200)
            follower_.listed(kubernetes::read_list(answer), now());
        else
            refuse(answer);
    }

    void take_step(const Follower::Watch& watch)
    {
        Exchange answer(cluster_, {watch.target}, {now() + for_a_watch, worker_.stop_fd()});
        if (answer.status() != 200)
            return refuse(answer);
        answer.wait_until(now() + watch.lasts + for_a_watch);
        follower_.watching(now());
        publish();
        while (auto event = kubernetes::read_event(answer)) {
            if (!follower_.happened(std::move(*event), now()))
                return;
            publish();
        }
        follower_.ended(now());
    }

    void refuse(Exchange& answer)
    {
        follower_.refused({{answer.status(), kubernetes::read_message(answer)}, answer.retry_after()}, now());
    }

    /// Tells of a change, and of nothing else.
    void publish()
    {
        const std::string problem = follower_.problem().empty()
                                        ? ""
                                        : "follow this node's pods in Kubernetes, at " + cluster_.host + " port " +
                                              std::to_string(cluster_.port) + ": " + follower_.problem();
        const std::lock_guard lock(mutex_);
        if (view_.problem == problem && view_.complete == follower_.complete() &&
            view_.lost_since == follower_.lost_since() && view_.pods == follower_.pods())
            return;
        view_ = {follower_.pods(), follower_.complete(), follower_.lost_since(), problem};
        eventfd_write(news_.get(), 1);
    }

    const Cluster cluster_;
    Follower follower_;  ///< of the thread alone
    UniqueFd news_;
    std::mutex mutex_;
    KubernetesView view_;
    Worker worker_;  ///< last: it uses the others
};

KubernetesWatch::KubernetesWatch(const Cluster& cluster) : thread_(std::make_unique<Thread>(cluster)) {}
KubernetesWatch::~KubernetesWatch() = default;

int KubernetesWatch::fd() const
{
    return thread_->fd();
}

KubernetesView KubernetesWatch::take()
{
    return thread_->take();
}

}  // namespace sallyport
