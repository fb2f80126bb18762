// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "hook.hpp"

#include "state_dir.hpp"
#include "tc_filter.hpp"
#include "tcx.hpp"

#include "sallyport/error.hpp"

#include <bpf/bpf.h>

#include <cerrno>

namespace sallyport {

namespace {

/// The link of this pin, where it stands at that place.
std::optional<TcxLink> living_link(const std::filesystem::path& pin, Place place)
{
    const UniqueFd fd = open_pinned(pin);
    const auto link = fd ? describe_link(fd.get()) : std::nullopt;
    return link && link->ifindex == place.ifindex ? link : std::nullopt;
}

}  // namespace

__u32 Hook::program() const
{
    if (const auto link = living_link(link_, place_))
        return link->program;
    return open_pinned(filter_) ? filter_program(place_) : 0;
}

std::optional<std::string> Hook::behind() const
{
    if (const auto link = living_link(link_, place_)) {
        const auto chain = tcx_chain(place_);
        if (chain.empty() || chain.front().link == link->id)
            return std::nullopt;
        return "program " + std::to_string(chain.front().program) + ", " + program_name(chain.front().program);
    }
    if (program() == 0 || is_filter_first(place_))
        return std::nullopt;
    return "another tc filter";
}

std::optional<std::string> Hook::missing(const std::string& where) const
{
    if (program() == 0)
        return "our program at " + where;
    if (const auto other = behind())
        return "the first place at " + where + " (" + *other + " has it)";
    return std::nullopt;
}

bool Hook::is_displaced_link() const
{
    return living_link(link_, place_) && behind();
}

void Hook::run_first(int program) const
{
    if (this->program() == 0)
        leave();  // a pin of this name is of a device that is gone, or of a program that somebody took away
    if (link_first(program))
        return;
    pin(program, filter_);  // a note that we were here, and so first: DEL looks for it
    put_filter_first(place_, program);
}

/// False where the kernel has no tcx.
bool Hook::link_first(int program) const
{
    const UniqueFd older = open_pinned(link_);
    if (older && !behind()) {
        if (this->program() != program_id(program) && bpf_link_update(older.get(), program, nullptr) != 0)
            throw Error(Code::io_failure, "replace the program: " + errno_text(errno));
        return true;
    }
    const UniqueFd link = link_at_head(place_, program);
    if (!link)
        return false;
    pin(link.get(), link_);
    if (older)
        bpf_link_detach(older.get());
    return true;
}

void Hook::leave() const
{
    std::error_code error;
    if (std::filesystem::exists(filter_, error)) {
        remove_filter(place_);
        std::filesystem::remove(filter_, error);
    }
    // Detached by name: left to the last reference, the kernel would do it some time after we have answered.
    if (const UniqueFd link = open_pinned(link_))
        bpf_link_detach(link.get());
    std::filesystem::remove(link_, error);
}

}  // namespace sallyport
