// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// When to write into somebody else's file, and when to leave it alone: a function of what was seen and when. Two things
// look alike and want the opposite. In a storm (an agent that starts, crashes, is upgraded) we wait until the file is
// still, and then put our entry in at once. An owner who takes our entry out whenever we put it in, as Cilium does with
// `cni.exclusive`, must be left alone. What tells them apart: in a fight the file changes only after we have written.
#pragma once

#include "sallyport/clock.hpp"

#include <chrono>
#include <deque>
#include <optional>

namespace sallyport {

class Restraint
{
public:
    /// How a file stood at a look.
    enum class State { in_place, missing };

    /// Something in the directory moves, we don't know yet what: not now.
    void stirred(Instant now) { stirred_ = now; }

    /// The file as it was found; `changed` since the last look or our last write, in any way.
    void seen(Instant now, bool changed, State state);

    /// Another file is looked at from now on: nothing that happens to it is an answer to what we wrote into the last.
    void moved() { written_.reset(); }

    /// We have put our entry in.
    void wrote(Instant now);

    /// The operator has changed something: what was learned about the owner is old.
    void forget();

    /// When we may write; in the past where that is at once.
    Instant may_write() const;

    /// Has the owner taken our entry out so often that we leave it alone for now?
    bool backing_off(Instant now) const { return now < quiet_until_; }

private:
    void note_reversal(Instant now);
    void note_unprovoked(Instant now);

    std::optional<Instant> stirred_;
    std::optional<Instant> changed_;
    int recent_changes_ = 0;  ///< at looks, without a longer pause between
    std::optional<Instant> written_;
    std::optional<Instant> reversed_;
    int unprovoked_ = 0;  ///< changes since the last reversal that nobody can have made in answer to us
    std::deque<Instant> reversals_;
    Instant quiet_until_{};
    std::chrono::seconds pause_{0};  ///< the last back-off's length; 0: none since the entry last stayed
    bool on_probation_ = false;      ///< the back-off ended by time: one more reversal is enough
};

}  // namespace sallyport
