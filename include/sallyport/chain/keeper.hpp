// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeps our entry in the active CNI chain of this node, whoever rewrites it: in the primary plugin's list, or in a
// drop-in beside it. Watches the directory, looks, and writes where the entry is missing or isn't today's.
//
// It never creates a list, never touches one that a runtime couldn't read or that we can't serve, keeps all of a file
// but our entry, its mode and its owner, and never puts older content of others over newer. Of its files a runtime sees
// only whole ones. It waits for the primary's list, and leaves an owner alone who takes our entry out again and again.
//
// leave() takes the entry out for good. Gateway pods that live on lose their node ports when the pinned state goes;
// their DEL then never reaches us under containerd, which asks the list of today, and needs no answer from us. CRI-O
// asks the list of the day when the pod started: there the binary must outlive those pods (tears_down_by_cache()).
#pragma once

#include "sallyport/clock.hpp"
#include "sallyport/node_options.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace sallyport {

/// What the keeper saw at its last look.
struct ChainReport
{
    bool in_place = false;       ///< our entry, of today's configuration, is in the active chain
    std::string problem;         ///< "" or one sentence for operators: what is wrong and what to do
    std::filesystem::path file;  ///< the list or drop-in that holds it
    std::string network;         ///< the active network's name
    std::uint64_t rewrites = 0;  ///< times that we have put it there
};

class ChainKeeper
{
public:
    /// `method` is resolved: never `automatic`. Touches nothing.
    ChainKeeper(std::filesystem::path conf_dir, ChainMethod method, Clock now = std::chrono::steady_clock::now);
    ~ChainKeeper();
    ChainKeeper(ChainKeeper&&) noexcept;
    ChainKeeper& operator=(ChainKeeper&&) noexcept;

    /// Our entry as the operator wrote it, checked by parse_entry(); what it may leave out is filled in. The next
    /// keep() looks at once.
    void set_entry(const std::string& entry);

    /// Readable when something has changed: call keep(). The same for life.
    int watch_fd() const;

    /// Looks, and writes where needed. Never waits, never throws for what a later look can mend: the report says it.
    /// May be called as often as one likes; more than 20 times a second it does nothing.
    const ChainReport& keep();

    /// Call keep() then at the latest, also without an event: events can be lost, and writing may have to wait.
    Instant next_look() const;

    /// Takes our entry out wherever it is in this directory: lists, lists that Cilium has set aside, drop-ins. Throws
    /// one Error that names all files where that failed.
    void leave();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sallyport
