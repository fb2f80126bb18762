// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The table of events: reads it, and writes the commands' own through the program that may.
#pragma once

#include "state_dir.hpp"

#include "sallyport/abi.h"
#include "sallyport/events.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace sallyport {

class EventLog
{
public:
    explicit EventLog(StateDir state) : state_(std::move(state)) {}

    /// Datapath::events_after(). Throws Error where the table is lost.
    std::vector<Event> after(std::uint64_t number) const;

    /// Where it can't be told, the log says so.
    void tell(const abi::event& event) const noexcept;

private:
    StateDir state_;
};

}  // namespace sallyport
