// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "event_log.hpp"

#include "bpf_table.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"
#include "sallyport/records.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sallyport {

namespace {

/// The event of that number; nullopt where it was overwritten, or isn't whole yet.
std::optional<abi::event> read_whole(const BpfTable<__u32, abi::event>& table, std::uint64_t number)
{
    const auto slot = static_cast<__u32>(number % abi::MAX_EVENTS);
    const auto first = table.find(slot);
    if (!first || first->number != number)
        return std::nullopt;
    // The kernel copies while programs write. Read the same twice, it was whole.
    const auto second = table.find(slot);
    const bool same = second && std::memcmp(&*first, &*second, sizeof *first) == 0;
    return same ? first : std::nullopt;
}

}  // namespace

std::vector<Event> EventLog::after(std::uint64_t number) const
{
    const UniqueFd head_fd = open_map(state_, "event_head");
    const UniqueFd events_fd = open_map(state_, "events");
    const BpfTable<__u32, abi::event> table(events_fd.get(), "events");
    const abi::event_head head =
        BpfTable<__u32, abi::event_head>(head_fd.get(), "event_head").find(0).value_or(abi::event_head{});

    std::vector<Event> events;
    const std::uint64_t oldest = head.last > abi::MAX_EVENTS ? head.last - abi::MAX_EVENTS + 1 : 1;
    for (std::uint64_t next = std::max(number + 1, oldest); next <= head.last; next++)
        if (const auto record = read_whole(table, next))
            events.push_back(event_from(*record));
    return events;
}

void EventLog::tell(const abi::event& event) const noexcept
{
    try {
        const UniqueFd program = open_pinned(state_.program("tell_event"));
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &event, .data_size_in = sizeof event);
        if (!program || bpf_prog_test_run_opts(program.get(), &options) != 0)
            log_warning("note an event for `sallyport trace`: " + errno_text(errno));
    } catch (const Error& error) {
        log_warning(error.what());
    }
}

}  // namespace sallyport
