// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/duration.hpp"

#include <charconv>
#include <cstdint>

namespace sallyport {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || (text[0] == '0' && digits > 1))
        return std::nullopt;
    const std::string_view unit = text.substr(digits);
    if (unit == "ms" || (unit.empty() && count == 0))
        return std::chrono::milliseconds(count);
    if (unit == "s")
        return std::chrono::seconds(count);
    if (unit == "m")
        return std::chrono::minutes(count);
    return std::nullopt;
}

std::string to_string(std::chrono::milliseconds duration)
{
    const auto count = duration.count();
    return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

}  // namespace sallyport
