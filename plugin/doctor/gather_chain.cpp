// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The facts that are in files: the runtime's configuration, ours, and our binary.
#include "gather.hpp"

#include "sallyport/chain/binary.hpp"
#include "sallyport/chain/conf_dir.hpp"
#include "sallyport/chain/files.hpp"
#include "sallyport/cni/runtime_config.hpp"
#include "sallyport/error.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <utility>

namespace sallyport {

namespace fs = std::filesystem;

namespace {

std::string read_text(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

InspectedList unreadable(const fs::path& path, const Error& error)
{
    InspectedList unread;
    unread.file = path;
    unread.problem = error.what();
    return unread;
}

/// nullopt where there is no such file any more, or no regular one.
std::optional<InspectedList> inspect_file(const fs::path& file, bool drop_in)
{
    try {
        const auto content = read_file(file);
        return content ? std::optional(inspect_list(file, content->text, drop_in)) : std::nullopt;
    } catch (const Error& error) {
        return unreadable(file, error);
    }
}

void gather_lists(ChainFacts& chain)
{
    for (const std::string& name : set_aside_names(chain.directory))
        if (const auto list = inspect_file(chain.directory / name, false); list && !list->entries.empty())
            chain.moved.push_back(list->file);
    for (const std::string& name : conf_names(chain.directory)) {
        auto list = inspect_file(chain.directory / name, false);
        if (!list)
            continue;
        if (!chain.active)
            chain.active = std::move(list);
        else if (!list->entries.empty())
            chain.shadowed.push_back(std::move(*list));
    }
}

/// A drop-in of ours, or one that hides what it is.
bool concerns_us(const InspectedList& drop_in)
{
    return !drop_in.entries.empty() || !drop_in.problem.empty();
}

void gather_drop_ins(const fs::path& network_directory, ChainFacts& chain)
{
    try {
        for (const fs::path& file : drop_in_files(network_directory))
            if (auto drop_in = inspect_file(file, true); drop_in && concerns_us(*drop_in))
                chain.drop_ins.push_back(std::move(*drop_in));
    } catch (const Error& error) {
        chain.drop_ins.push_back(unreadable(network_directory, error));
    }
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
    if (!chain.exists)
        return chain;
    try {
        gather_lists(chain);
    } catch (const Error& error) {
        chain.problem = error.what();
    }
    if (chain.active && is_network_name(chain.active->network))
        gather_drop_ins(directory / chain.active->network, chain);
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
    facts.mappings_alone = ours && asks_for(ours->entries[0], port_mappings_capability) &&
                           !asks_for(ours->entries[0], annotations_capability);
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
    binary.file = installed_binary(directory);
    std::error_code ignored;
    binary.exists = fs::is_regular_file(binary.file, ignored);
    if (!binary.exists)
        return binary;
    struct statvfs file_system{};
    binary.noexec = ::statvfs(binary.file.c_str(), &file_system) == 0 && (file_system.f_flag & ST_NOEXEC) != 0;
    const auto may_execute = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
    binary.executable = (fs::status(binary.file, ignored).permissions() & may_execute) != fs::perms::none;
    binary.same_as_this = same_content(binary.file, "/proc/self/exe");
    return binary;
}

}  // namespace sallyport
