// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The runtime's CNI directory as the runtime sees it: which of its files is the active one. Reads only.
#pragma once

#include "sallyport/chain/conflist.hpp"
#include "sallyport/chain/files.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// The names that a runtime reads.
bool is_conf_name(std::string_view file_name);

/// Names of files in their order; none where there is no such directory. Throws Error where it can't be read.
std::vector<std::string> conf_names(const std::filesystem::path& directory);

/// Cilium's end for names of files that no runtime shall read any more.
inline constexpr std::string_view set_aside_end = ".cilium_bak";

/// Names of files that were set aside, as conf_names() gives the others.
std::vector<std::string> set_aside_names(const std::filesystem::path& directory);

struct ActiveNetwork
{
    std::optional<FileContent> content;  ///< nullopt: no file is valid
    NetworkFile file;
    std::string problem;  ///< why there is none, or what else is wrong
};

/// The first valid one by name. That is CRI-O's rule; containerd stops at the first file that is invalid. So one that
/// was changed in the last seconds, and may be half-written, is waited for.
ActiveNetwork find_active(const std::filesystem::path& directory);

/// The files that libcni 1.3 reads from a network's own directory, in its order; none where there is no such directory.
/// Throws Error where it can't be read.
std::vector<std::filesystem::path> drop_in_files(const std::filesystem::path& network_directory);

/// What libcni 1.3 appends to a network's list, in the order in which it runs.
struct DropIns
{
    std::vector<std::filesystem::path> ours;
    std::vector<std::filesystem::path> others;
    std::vector<std::filesystem::path> broken;  ///< each of them keeps the whole network from loading
};
DropIns find_drop_ins(const std::filesystem::path& network_directory);

/// The directories below this one.
std::vector<std::filesystem::path> subdirectories(const std::filesystem::path& directory);

/// libcni's rule for names of networks; none of them leads out of the directory.
bool is_network_name(std::string_view name);

}  // namespace sallyport
