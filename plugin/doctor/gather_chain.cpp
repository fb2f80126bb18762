// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The facts that are in files: the runtime's configuration, ours, and our binary.
#include "gather.hpp"

#include "sallyport/error.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>

namespace sallyport {

namespace fs = std::filesystem;

namespace {

std::string read_text(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Sorted by name, as runtimes take them. A directory that can't be read has none.
std::vector<fs::path> files_in(const fs::path& directory)
{
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
        if (std::error_code ignored; entry->is_regular_file(ignored))
            files.push_back(entry->path());
    std::sort(files.begin(), files.end());
    return files;
}

bool is_network_file(const fs::path& file)
{
    const std::array extensions{".conf", ".conflist", ".json"};
    return std::find(extensions.begin(), extensions.end(), file.extension()) != extensions.end();
}

/// A drop-in of ours, or one that hides what it is.
bool concerns_us(const InspectedList& drop_in)
{
    return !drop_in.entries.empty() || !drop_in.problem.empty();
}

bool same_content(const fs::path& a, const fs::path& b)
{
    std::error_code error;
    return fs::file_size(a, error) == fs::file_size(b, error) && !error && read_text(a) == read_text(b);
}

}  // namespace

ChainFacts gather_chain(const fs::path& directory)
{
    ChainFacts chain;
    chain.directory = directory;
    std::error_code ignored;
    chain.exists = fs::is_directory(directory, ignored);
    for (const fs::path& file : files_in(directory)) {
        if (file.extension() == ".cilium_bak" && !inspect_list(file, read_text(file), false).entries.empty())
            chain.moved.push_back(file);
        if (!is_network_file(file))
            continue;
        InspectedList network = inspect_list(file, read_text(file), false);
        if (!chain.active)
            chain.active = std::move(network);
        else if (!network.entries.empty())
            chain.shadowed.push_back(std::move(network));
    }
    if (!chain.active || chain.active->network.empty())
        return chain;
    for (const fs::path& file : files_in(directory / chain.active->network)) {
        if (file.extension() != ".conf")
            continue;
        InspectedList drop_in = inspect_list(file, read_text(file), true);
        if (concerns_us(drop_in))
            chain.drop_ins.push_back(std::move(drop_in));
    }
    return chain;
}

ConfigFacts gather_config(const ChainFacts& chain, const fs::path& fallback)
{
    ConfigFacts facts;
    const InspectedList* ours = chain.active && !chain.active->entries.empty() ? &*chain.active : nullptr;
    for (const InspectedList& drop_in : chain.drop_ins)
        if (!ours && !drop_in.entries.empty())
            ours = &drop_in;
    std::error_code ignored;
    if (!ours && !fs::exists(fallback, ignored))
        return facts;
    try {
        facts.source = ours ? ours->file : fallback;
        facts.config = parse_entry(ours ? ours->entries[0] : read_text(fallback));
    } catch (const Error& error) {
        facts.problem = error.what();
    }
    return facts;
}

BinaryFacts gather_binary(const fs::path& directory)
{
    BinaryFacts binary;
    binary.file = directory / "sallyport";
    std::error_code ignored;
    binary.exists = fs::is_regular_file(binary.file, ignored);
    if (!binary.exists)
        return binary;
    struct statvfs file_system
    {};
    binary.noexec = ::statvfs(binary.file.c_str(), &file_system) == 0 && (file_system.f_flag & ST_NOEXEC) != 0;
    const auto may_execute = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
    binary.executable = (fs::status(binary.file, ignored).permissions() & may_execute) != fs::perms::none;
    binary.same_as_this = same_content(binary.file, "/proc/self/exe");
    return binary;
}

}  // namespace sallyport
