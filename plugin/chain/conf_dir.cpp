// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/conf_dir.hpp"

#include "sallyport/error.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace sallyport {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> conf_ends = {".conf", ".conflist", ".json"};
constexpr std::chrono::seconds writing_time{5};  ///< longer than anybody takes to write a list in pieces

bool was_just_written(const FileVersion& version)
{
    const auto now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto age = now - std::chrono::nanoseconds(version.modified);
    return age >= std::chrono::nanoseconds(0) && age < writing_time;
}

std::vector<fs::path> entries_of(const fs::path& directory)
{
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
        entries.push_back(entry->path());
    if (error && error != std::errc::no_such_file_or_directory)
        throw Error(Code::io_failure, "read directory " + directory.string() + ": " + error.message());
    std::sort(entries.begin(), entries.end());
    return entries;
}

template <typename Predicate>
std::vector<std::string> names_in(const fs::path& directory, Predicate&& is_wanted)
{
    std::vector<std::string> names;
    for (const fs::path& entry : entries_of(directory))
        if (is_wanted(entry.filename().string()))
            names.push_back(entry.filename().string());
    return names;
}

bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_conf_name(std::string_view file_name)
{
    return std::any_of(conf_ends.begin(), conf_ends.end(), [&](auto end) { return file_name.ends_with(end); });
}

std::vector<std::string> conf_names(const fs::path& directory)
{
    return names_in(directory, is_conf_name);
}

std::vector<std::string> set_aside_names(const fs::path& directory)
{
    return names_in(directory, [](std::string_view name) { return name.ends_with(set_aside_end); });
}

ActiveNetwork find_active(const fs::path& directory)
{
    ActiveNetwork active;
    for (const std::string& name : conf_names(directory)) {
        auto content = read_file(directory / name);
        if (!content)
            continue;  // gone meanwhile, or a directory
        try {
            active.file = read_network_file(name, content->text);
            active.content = std::move(content);
            return active;
        } catch (const Error& error) {
            active.problem = content->path.string() + ": " + error.what();
            if (was_just_written(content->version)) {
                active.problem += "; waiting until it is complete";
                return active;
            }
            active.problem += "; containerd loads no network because of it: correct or remove it";
        }
    }
    if (active.problem.empty())
        active.problem = "no network is configured in " + directory.string() +
                         "; waiting for the primary plugin's list (if there is one elsewhere, give --cni-conf-dir)";
    return active;
}

std::vector<fs::path> drop_in_files(const fs::path& network_directory)
{
    std::vector<fs::path> files = entries_of(network_directory);
    std::erase_if(files, [](const fs::path& file) { return !file.filename().string().ends_with(".conf"); });
    return files;
}

DropIns find_drop_ins(const fs::path& network_directory)
{
    DropIns found;
    for (const fs::path& file : drop_in_files(network_directory)) {
        const auto content = read_file(file);
        if (!content)
            continue;
        const std::string type = drop_in_type(content->text);
        (type == our_type ? found.ours : type.empty() ? found.broken : found.others).push_back(file);
    }
    return found;
}

std::vector<fs::path> subdirectories(const fs::path& directory)
{
    std::vector<fs::path> found;
    for (const fs::path& entry : entries_of(directory)) {
        std::error_code error;
        if (fs::is_directory(entry, error))
            found.push_back(entry);
    }
    return found;
}

bool is_network_name(std::string_view name)
{
    return !name.empty() && is_alphanumeric(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
        return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
    });
}

}  // namespace sallyport
