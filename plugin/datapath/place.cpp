// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "place.hpp"

#include <charconv>
#include <string_view>

namespace sallyport {

std::string name_of(Direction direction)
{
    return direction == Direction::ingress ? "ingress" : "egress";
}

std::string PinName::to_string() const
{
    return std::to_string(number) + "-" + name_of(direction);
}

std::optional<PinName> parse_pin_name(const std::string& name)
{
    PinName pin;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, pin.number);
    if (error != std::errc{})
        return std::nullopt;
    for (const Direction direction : directions)
        if ("-" + name_of(direction) == std::string_view(rest, end)) {
            pin.direction = direction;
            return pin;
        }
    return std::nullopt;
}

}  // namespace sallyport
