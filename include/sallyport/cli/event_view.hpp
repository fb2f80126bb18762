// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Events as they are followed, and as people and programs read them.
#pragma once

#include "sallyport/cli/screen.hpp"
#include "sallyport/events.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

using WallTime = std::chrono::system_clock::time_point;

/// A reader's place in the table of events, which forgets the oldest, and begins anew with number 1 when the node's
/// state was removed and made again. Each look asks for the last event once more, as that alone tells a table without
/// news from another one.
class EventFollower
{
public:
    /// From the event after `since`; 0: from the oldest one that is kept.
    explicit EventFollower(std::uint64_t since) : last_(since) {}

    /// What to call Datapath::events_after() with.
    std::uint64_t ask_after() const { return last_ > 0 ? last_ - 1 : 0; }

    struct News
    {
        std::vector<Event> events;
        std::uint64_t missed = 0;  ///< before the first of them, or between
        bool anew = false;         ///< this is another table than before: ask again, at once
    };

    /// `found`: what events_after(ask_after()) has returned. An event that lacks between others may be in the making:
    /// unless this is the `final` look, the next one decides whether it was missed.
    News take(std::vector<Event> found, bool final);

private:
    bool is_another_table(const std::vector<Event>& found) const;

    std::uint64_t last_;
    std::optional<Instant> time_of_last_;
    std::uint64_t lacking_ = 0;  ///< the first number that lacked at the last look; 0: none
};

/// `namespace/name` of pods by generation, from those that are bound and from those that were.
class EventNames
{
public:
    void learn(std::uint64_t generation, const std::string& name) { names_[generation] = name; }
    void learn(const Event& event);
    void forget() { names_.clear(); }

    /// `pod #7` where it isn't known.
    std::string of(std::uint64_t generation) const;

private:
    std::map<std::uint64_t, std::string> names_;
};

/// Events as lines, aligned with those before them.
class EventLines
{
public:
    /// Makes room for the event's port in the lines to come.
    void make_room(const Event& event);

    /// One line, wrapped under its last column where the screen is too narrow.
    std::string render(const Event& event, WallTime when, const EventNames& names, const Screen& screen) const;

private:
    std::size_t port_width_ = 8;
};

/// The day of a time, as a line between events of different days.
std::string day_of(WallTime when);

/// One object on one line, without a newline.
std::string to_json(const Event& event, WallTime when, const EventNames& names);

/// The same for events that were overwritten before they were read.
std::string json_of_missed(std::uint64_t missed);

}  // namespace sallyport
