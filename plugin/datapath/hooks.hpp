// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Our two programs on the outside devices: tcx at the head of the chain (kernel 6.6), before Cilium's; below that a tc
// filter at clsact. Never destroys a clsact: others may have come to use it.
#pragma once

#include "state_dir.hpp"

#include "sallyport/os/netlink.hpp"

#include <linux/types.h>

#include <string>
#include <vector>

namespace sallyport {

enum class Direction { ingress, egress };

class Hooks
{
public:
    explicit Hooks(StateDir state) : state_(std::move(state)) {}

    /// Makes these devices run the programs that are pinned now, and no others. Where programs of another build run,
    /// they are replaced in place, traffic flowing.
    void follow(const std::vector<Device>& devices) const;

    /// Where our pinned programs should run and don't: "ingress of eth0".
    std::vector<std::string> missing(const std::vector<Device>& devices) const;

    /// Names of the devices that we are attached to.
    std::vector<std::string> devices() const;

    /// Leaves all devices.
    void leave_all() const;

private:
    void attach(const Device& device, Direction direction) const;
    bool attach_tcx(const Device& device, Direction direction, int program) const;
    void attach_filter(const Device& device, Direction direction, int program) const;
    __u32 attached_program(int ifindex, Direction direction) const;
    UniqueFd pinned_program(Direction direction) const;
    void leave(const std::string& name) const;

    StateDir state_;
};

}  // namespace sallyport
