// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the agent does with the node's disk and its container runtime: the plugin's binary, our entry in the chain, and
// gateway pods that are older than that. Each step throws Error for what it couldn't do; the later ones wait for the
// earlier.
#pragma once

#include "sallyport/adoption.hpp"
#include "sallyport/chain/keeper.hpp"
#include "sallyport/config.hpp"
#include "sallyport/node_options.hpp"

#include <chrono>
#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sallyport {

class Installation
{
public:
    explicit Installation(const NodeOptions& options) : options_(options) {}
    Installation(const Installation&) = delete;
    Installation& operator=(const Installation&) = delete;
    ~Installation();  ///< waits for one call to the runtime at the most

    /// Puts this very binary where the runtime looks for plugins.
    void copy_plugin();

    /// Where our entry goes under this runtime; asked until it is settled. Throws as CriClient while the runtime
    /// doesn't answer, and Error(invalid_environment) where the operator's choice isn't one for it.
    void choose_method();

    /// Keeps our entry, as the operator wrote it, in the chain. Before there is a binary and a method does nothing but
    /// say so. Throws Error(not_available) while the entry isn't in place.
    void keep_entry(const std::string& entry);

    /// Readable when keep_entry() has something to look at; -1 before the first one.
    int watch_fd() const { return keeper_ ? keeper_->watch_fd() : -1; }

    /// Call keep_entry() then at the latest.
    Instant next_look() const;

    bool in_place() const { return in_place_; }

    /// What the keeper wants to be known, though our entry is in place; "" for nothing.
    const std::string& remark() const { return remark_; }

    /// Binds gateway pods that were started before our entry was in place; which is a condition. Begins that, or looks
    /// what has come of it: throws Error(try_again_later) while the runtime is being asked, then as
    /// adopt_earlier_pods().
    void adopt_earlier_pods(const Config& config);

    /// Pods that can't be adopted, and why; "" where there is none.
    const std::string& refusals() const { return refusals_; }

    /// Somebody else is in charge: lets go of the directory, and leaves everything as it is.
    void rest();

private:
    void note(const std::vector<AdoptionResult>& results);

    const NodeOptions& options_;
    bool copied_ = false;
    std::optional<ChainMethod> method_;
    std::optional<ChainKeeper> keeper_;
    std::string entry_;
    bool in_place_ = false;
    std::string network_;
    std::string remark_;
    std::stop_source stop_;
    std::future<std::vector<AdoptionResult>> adoption_;  ///< while it is at work
    std::string failure_;                                ///< of the last one; "" where it was well
    std::vector<AdoptionResult> earlier_;
    std::string refusals_;
};

}  // namespace sallyport
