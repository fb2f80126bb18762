// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/conflicts.hpp"

#include <charconv>
#include <fstream>
#include <string>

namespace sallyport {

void count_conflict(const std::filesystem::path& state_dir) noexcept
{
    try {
        const std::uint64_t count = read_conflicts(state_dir) + 1;
        const std::filesystem::path fresh = state_dir / "conflicts.new";
        std::ofstream file(fresh);
        file << count << '\n';
        file.close();
        if (!file)
            return;  // the disk is full: one too few is better than none from now on
        std::filesystem::rename(fresh, state_dir / "conflicts");  // whoever reads it meanwhile finds a whole number
    } catch (const std::exception&) {
        return;
    }
}

std::uint64_t read_conflicts(const std::filesystem::path& state_dir) noexcept
{
    try {
        std::string text;
        std::getline(std::ifstream(state_dir / "conflicts"), text);
        std::uint64_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        return error == std::errc{} && end == text.data() + text.size() ? count : 0;
    } catch (const std::exception&) {
        return 0;
    }
}

}  // namespace sallyport
