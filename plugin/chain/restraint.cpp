// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/restraint.hpp"

#include <algorithm>
#include <cstddef>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

/// How long the file must have been still. A single change after a quiet time is an agent that started: what pods start
/// meanwhile start without us. Later changes make a storm of it.
constexpr auto still_after_one = 25ms;
constexpr auto still_after_two = 100ms;
constexpr auto still_in_storm = 400ms;
constexpr auto storm_gap = 2s;  ///< changes further apart than this are no storm

constexpr auto reaction_time = 2s;     ///< a change this long after our write may be the answer to it
constexpr auto one_reaction = 100ms;   ///< an answer may be several changes, within this time
constexpr int storm_evidence = 2;      ///< unprovoked changes that make a storm, so soon after our write
constexpr std::size_t patience = 3;    ///< reversals
constexpr auto patience_window = 10s;  ///< within this time
constexpr auto stayed = 10s;           ///< an entry that stood this long is accepted
constexpr std::chrono::seconds first_pause = 60s;
constexpr std::chrono::seconds longest_pause = 600s;

}  // namespace

void Restraint::seen(Instant now, bool changed, State state)
{
    if (written_ && state == State::in_place && now - *written_ >= stayed) {
        reversals_.clear();
        pause_ = 0s;
        on_probation_ = false;
    }
    if (!changed)
        return;
    recent_changes_ = changed_ && now - *changed_ <= storm_gap ? recent_changes_ + 1 : 1;
    changed_ = stirred_ = now;
    if (state == State::in_place)
        return;
    if (!written_)
        note_unprovoked(now);
    else if (now - *written_ <= reaction_time)
        note_reversal(now);
    written_.reset();
}

void Restraint::note_unprovoked(Instant now)
{
    if (reversed_ && now - *reversed_ <= one_reaction)
        return;
    if (++unprovoked_ < storm_evidence && reversed_ && now - *reversed_ <= reaction_time)
        return;
    reversals_.clear();  // the file changes without us too: a storm, or its owner has learned something
    quiet_until_ = {};
    on_probation_ = false;
}

void Restraint::note_reversal(Instant now)
{
    reversed_ = now;
    unprovoked_ = 0;
    reversals_.push_back(now);
    while (now - reversals_.front() > patience_window)
        reversals_.pop_front();
    if (reversals_.size() < (on_probation_ ? 1 : patience))
        return;
    pause_ = std::clamp(2 * pause_, first_pause, longest_pause);
    quiet_until_ = now + pause_;
    reversals_.clear();
    on_probation_ = true;
}

void Restraint::wrote(Instant now)
{
    written_ = now;
}

void Restraint::forget()
{
    *this = Restraint();
}

Instant Restraint::may_write() const
{
    if (!stirred_)
        return quiet_until_;
    const auto still = recent_changes_ <= 1 ? still_after_one : recent_changes_ == 2 ? still_after_two : still_in_storm;
    return std::max<Instant>(quiet_until_, *stirred_ + still);
}

}  // namespace sallyport
