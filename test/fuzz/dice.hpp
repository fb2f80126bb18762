// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Chance that is the same everywhere for the same seed; the standard library's distributions aren't.
#pragma once

#include <cstdint>
#include <random>

namespace sallyport::fuzz {

class Dice
{
public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t any() { return engine_(); }
    std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }
    std::size_t below(std::size_t count) { return count == 0 ? 0 : engine_() % count; }
    bool chance(unsigned percent) { return engine_() % 100 < percent; }

    template <typename List>
    const auto& pick(const List& list)
    {
        return *(std::begin(list) + static_cast<std::ptrdiff_t>(below(std::size(list))));
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace sallyport::fuzz
