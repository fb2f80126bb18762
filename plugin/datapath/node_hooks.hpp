// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Our two programs on the node's outside devices, before Cilium's and everybody else's.
#pragma once

#include "hook.hpp"
#include "programs.hpp"
#include "state_dir.hpp"

#include "sallyport/os/netlink.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace sallyport {

class NodeHooks
{
public:
    explicit NodeHooks(StateDir state) : state_(std::move(state)) {}

    /// Makes these devices run the programs that are pinned now, before all others, and no other devices. Where
    /// programs of another build run, or others have come before ours, ours are replaced or put first, traffic flowing.
    /// True where that took to pin any of our programs anew.
    bool follow(const std::vector<Device>& devices) const;

    /// Where our programs should run on these devices and don't, or not before all others; in words.
    std::vector<std::string> missing(const std::vector<Device>& devices) const;

    /// The same, by any build's programs, on the devices that still exist of those that we were attached to last.
    std::vector<std::string> missing() const;

    /// Names of the devices that we are attached to.
    std::vector<std::string> devices() const;

    /// Leaves all devices.
    void leave_all() const;

private:
    Hook hook(const PinName& name) const;
    std::set<std::uint64_t> pinned_devices() const;
    void leave_others(const std::vector<Device>& devices) const;
    bool renew_displaced(const std::vector<Device>& devices) const;
    UniqueFd pinned_program(const Device& device, Direction direction) const;

    StateDir state_;
};

}  // namespace sallyport
