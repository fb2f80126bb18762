// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/conflicts.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t remembered = 1024;
constexpr std::uintmax_t max_conflicts_file = 65'536;

/// Seconds. Six tries of the kubelet's, as a busy node's come late.
constexpr std::uint64_t still_tried = 120;

/// A line of the file: two numbers, and a blank between.
struct RefusedPod
{
    std::uint64_t pod = 0;  ///< hash of its UID or name
    std::uint64_t at = 0;   ///< seconds since the node's start
};

struct ConflictsFile
{
    std::uint64_t pods = 0;
    std::vector<RefusedPod> last;  ///< the latest refusal comes last
};

std::uint64_t seconds_since_start(Instant instant)
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(instant.time_since_epoch()).count());
}

/// What the runtime says of a pod may hold any character, and be of any length.
std::uint64_t identity_of(const Attachment& pod)
{
    return std::hash<std::string>()(pod.pod() + '/' + pod.pod_uid);
}

/// The number at the beginning of `text`, which it is taken off; false where there is none.
template <typename Number>
bool take_number(std::string_view& text, Number& number)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc{};
}

bool parse_refused_pod(std::string_view line, RefusedPod& refused)
{
    if (!take_number(line, refused.pod) || !line.starts_with(' '))
        return false;
    line.remove_prefix(1);
    return take_number(line, refused.at) && line.empty();
}

/// Whoever broke the file: what can be read of it counts.
ConflictsFile read_file_of_conflicts(const fs::path& state_dir)
{
    const fs::path path = state_dir / "conflicts";
    ConflictsFile result;
    std::error_code error;
    if (const auto size = fs::file_size(path, error); error || size > max_conflicts_file)
        return result;
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    std::string_view text = line;
    if (!take_number(text, result.pods) || !text.empty())
        return {};
    for (RefusedPod refused; std::getline(file, line);)
        if (parse_refused_pod(line, refused))
            result.last.push_back(refused);
    return result;
}

void write_file_of_conflicts(const fs::path& state_dir, const ConflictsFile& content)
{
    const fs::path fresh = state_dir / "conflicts.new";
    std::ofstream file(fresh);
    file << content.pods << '\n';
    for (const RefusedPod& refused : content.last)
        file << refused.pod << ' ' << refused.at << '\n';
    file.close();
    if (!file)
        return;                                  // the disk is full: one too few is better than none from now on
    fs::rename(fresh, state_dir / "conflicts");  // whoever reads it meanwhile finds a whole one
}

}  // namespace

void count_conflict(const fs::path& state_dir, const Attachment& pod, Instant now) noexcept
{
    try {
        ConflictsFile file = read_file_of_conflicts(state_dir);
        const std::uint64_t identity = identity_of(pod);
        if (std::erase_if(file.last, [&](const RefusedPod& refused) { return refused.pod == identity; }) == 0)
            file.pods++;
        file.last.push_back({identity, seconds_since_start(now)});
        if (file.last.size() > remembered)
            file.last.erase(file.last.begin(), file.last.end() - remembered);
        write_file_of_conflicts(state_dir, file);
    } catch (const std::exception&) {
        return;
    }
}

Conflicts read_conflicts(const fs::path& state_dir, Instant now) noexcept
{
    try {
        const ConflictsFile file = read_file_of_conflicts(state_dir);
        const std::uint64_t end = seconds_since_start(now);
        const auto going = std::ranges::count_if(
            file.last, [&](const RefusedPod& refused) { return refused.at <= end && end - refused.at <= still_tried; });
        return {file.pods, static_cast<std::uint64_t>(going)};
    } catch (const std::exception&) {
        return {};
    }
}

void forget_conflicts(const fs::path& state_dir) noexcept
{
    std::error_code ignored;
    for (const char* const name : {"conflicts", "conflicts.new"})
        fs::remove(state_dir / name, ignored);
}

}  // namespace sallyport
