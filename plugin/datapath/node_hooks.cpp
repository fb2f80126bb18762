// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "node_hooks.hpp"

#include "tcx.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <net/if.h>

#include <algorithm>
#include <set>

namespace sallyport {

namespace {

PinName pin_name(const Device& device, Direction direction)
{
    return {static_cast<std::uint64_t>(device.ifindex), direction};
}

ProgramSet set_for(const Device& device)
{
    return device.link_header == LinkHeader::none ? ProgramSet::bare_node : ProgramSet::node;
}

std::string program_for(const Device& device, Direction direction)
{
    return std::string(set_for(device) == ProgramSet::bare_node ? "bare_" : "") + "node_" + name_of(direction);
}

/// "" where it is gone.
std::string name_of_device(std::uint64_t number)
{
    char name[IF_NAMESIZE] = {};
    return if_indextoname(static_cast<unsigned>(number), name) == nullptr ? "" : name;
}

}  // namespace

Hook NodeHooks::hook(const PinName& name) const
{
    return {{static_cast<int>(name.number), name.direction},
            state_.links() / name.to_string(),
            state_.filters() / name.to_string()};
}

UniqueFd NodeHooks::pinned_program(const Device& device, Direction direction) const
{
    const auto path = state_.program(program_for(device, direction));
    UniqueFd program = open_pinned(path);
    if (!program)
        throw Error(Code::io_failure,
                    "open " + path.string() + ": it isn't there; the next ADD of a gateway pod makes it anew");
    return program;
}

bool NodeHooks::follow(const std::vector<Device>& devices) const
{
    leave_others(devices);
    if (std::any_of(devices.begin(), devices.end(),
                    [](const Device& device) { return set_for(device) == ProgramSet::bare_node; }))
        ensure_programs(state_, ProgramSet::bare_node);
    const bool renewed = renew_displaced(devices);
    for (const Device& device : devices)
        for (const Direction direction : directions)
            try {
                hook(pin_name(device, direction)).run_first(pinned_program(device, direction).get());
            } catch (const Error& error) {
                throw error.during("attach " + name_of(direction) + " to " + device.name);
            }
    return renewed;
}

void NodeHooks::leave_others(const std::vector<Device>& devices) const
{
    std::set<std::string> wanted;
    for (const Device& device : devices)
        for (const Direction direction : directions)
            wanted.insert(pin_name(device, direction).to_string());
    for (const auto& directory : {state_.links(), state_.filters()})
        for (const std::string& name : names_in(directory)) {
            const auto place = parse_pin_name(name);
            if (place && !wanted.contains(name))
                hook(*place).leave();
        }
}

/// Where somebody has come before our programs, pins others that do the same, for these to be put first.
bool NodeHooks::renew_displaced(const std::vector<Device>& devices) const
{
    std::set<ProgramSet> displaced;
    for (const Device& device : devices)
        for (const Direction direction : directions) {
            const Hook hook = this->hook(pin_name(device, direction));
            if (!hook.is_displaced_link())
                continue;
            log_warning(name_of(direction) + " of " + device.name + ": " + hook.behind().value_or("another program") +
                        " came before ours; putting ours first again");
            if (hook.program() == program_id(pinned_program(device, direction).get()))
                displaced.insert(set_for(device));
        }
    for (const ProgramSet set : displaced)
        reload_programs(state_, set);
    return !displaced.empty();
}

std::vector<std::string> NodeHooks::missing(const std::vector<Device>& devices) const
{
    std::vector<std::string> missing;
    for (const Device& device : devices)
        for (const Direction direction : directions) {
            const Hook hook = this->hook(pin_name(device, direction));
            const std::string where = name_of(direction) + " of " + device.name;
            if (const UniqueFd program = open_pinned(state_.program(program_for(device, direction)));
                !program || hook.program() != program_id(program.get()))
                missing.push_back("our program at " + where);
            else if (const auto other = hook.behind())
                missing.push_back("the first place at " + where + " (" + *other + " has it)");
        }
    return missing;
}

/// By their numbers: also those that are gone.
std::set<std::uint64_t> NodeHooks::pinned_devices() const
{
    std::set<std::uint64_t> numbers;
    for (const auto& directory : {state_.links(), state_.filters()})
        for (const std::string& name : names_in(directory))
            if (const auto place = parse_pin_name(name))
                numbers.insert(place->number);
    return numbers;
}

std::vector<std::string> NodeHooks::missing() const
{
    const auto numbers = pinned_devices();
    if (numbers.empty())
        return {"our programs at the node's outside devices"};
    std::vector<std::string> missing;
    for (const std::uint64_t number : numbers)
        if (const std::string name = name_of_device(number); !name.empty())
            for (const Direction direction : directions)
                if (const auto lack = hook({number, direction}).missing(name_of(direction) + " of " + name))
                    missing.push_back(*lack);
    return missing;
}

std::vector<std::string> NodeHooks::devices() const
{
    std::set<std::string> devices;
    for (const std::uint64_t number : pinned_devices())
        for (const Direction direction : directions)
            if (const std::string name = name_of_device(number);
                !name.empty() && hook({number, direction}).program() != 0)
                devices.insert(name);
    return {devices.begin(), devices.end()};
}

void NodeHooks::leave_all() const
{
    leave_others({});
}

}  // namespace sallyport
