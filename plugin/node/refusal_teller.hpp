// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tells Kubernetes of pods that were refused, in the words that their runtime was told: once, however often the kubelet
// tries again. In a thread of its own, as an API server takes its time.
#pragma once

#include "directory_watch.hpp"

#include "sallyport/clock.hpp"
#include "sallyport/config.hpp"
#include "sallyport/kubernetes.hpp"
#include "sallyport/os/worker.hpp"
#include "sallyport/refusals.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>

namespace sallyport {

class RefusalTeller
{
public:
    /// `note` is told, from that thread, why the cluster can't be told; "" where it can. Throws Error(node_lacks) where
    /// there are no descriptors or threads left.
    RefusalTeller(const Cluster& cluster, std::function<void(const std::string&)> note);

    /// Where refusals are noted from now on. None is looked for before.
    void use(const Paths& paths);

private:
    void run();
    void wait();
    void look();
    void tell();
    void put_off(const std::string& why);

    const Cluster cluster_;
    std::function<void(const std::string&)> note_;
    DirectoryWatch noted_;
    std::deque<PodEvent> untold_;
    std::set<std::string> told_;  ///< by name_of_event()
    Instant not_before_{};
    std::chrono::seconds pause_{};
    std::mutex mutex_;
    std::filesystem::path state_dir_;  ///< under the mutex; "": not known yet
    Worker worker_;                    ///< last: it uses the others
};

}  // namespace sallyport
