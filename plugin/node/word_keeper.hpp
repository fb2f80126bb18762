// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Brings Kubernetes' word on this node's pods into the datapath, in a thread of its own: there it counts within
// milliseconds, whatever the agent's loop is waiting for. Told again while somebody tells us of changes, and not once
// nobody does: then it lapses (abi::WORD_LASTS), and sockets and answers alone say who serves.
#pragma once

#include "directory_watch.hpp"

#include "sallyport/config.hpp"
#include "sallyport/kubernetes.hpp"
#include "sallyport/os/worker.hpp"

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace sallyport {

class WordKeeper
{
public:
    /// How often a word that stays the same is told again: several times before it lapses.
    static constexpr std::chrono::seconds renew_after{20};

    /// `note` is told, from that thread, why Kubernetes' word can't be had or can't be written down; "" where it can.
    /// Throws Error(node_lacks) where there are no descriptors or threads left.
    WordKeeper(const Cluster& cluster, std::function<void(const std::string&)> note);

    /// Where the datapath is from now on. Nothing is written before.
    void use(const Paths& paths);

private:
    void run();
    void wait();
    void take_view();
    void write();

    const std::string node_;
    std::function<void(const std::string&)> note_;
    KubernetesWatch watch_;
    DirectoryWatch commands_;  ///< each takes the lock before it binds a pod, and leaves it afterwards
    KubernetesView view_;
    Instant renew_at_{};
    std::mutex mutex_;
    std::optional<Paths> paths_;  ///< under the mutex
    Worker worker_;               ///< last: it uses the others
};

}  // namespace sallyport
