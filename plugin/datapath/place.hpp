// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where a program of ours can run: one side of a device. And the names of the pins that say so.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace sallyport {

enum class Direction { ingress, egress };

inline constexpr std::array directions{Direction::ingress, Direction::egress};

std::string name_of(Direction direction);

/// The kernel looks for the device in the network namespace that the calling thread is in.
struct Place
{
    int ifindex = 0;
    Direction direction = Direction::ingress;
};

/// "<number>-<direction>": the number is a device's (ifindex) or a pod's (generation).
struct PinName
{
    std::uint64_t number = 0;
    Direction direction = Direction::ingress;

    std::string to_string() const;
};

/// nullopt for what isn't such a name.
std::optional<PinName> parse_pin_name(const std::string& name);

}  // namespace sallyport
