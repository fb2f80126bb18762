// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Taking our entry out of a runtime's CNI directory, and telling the runtime.
#pragma once

#include <filesystem>

namespace sallyport {

/// Lists, lists that Cilium has set aside, drop-ins. Goes on past failures and then throws one Error that names them.
void take_out_everywhere(const std::filesystem::path& directory);

/// Removes a drop-in of ours, and its directory where nothing else is in it. False where there was none.
bool remove_drop_in(const std::filesystem::path& drop_in);

/// Makes runtimes read their configuration again. They don't watch the directories of drop-ins; containerd ignores that
/// a file is created, and CRI-O that another one than the list is removed: so a file comes and goes that none of them
/// reads.
void wake_runtime(const std::filesystem::path& directory);

/// Removes temporary files of processes that were killed; false where another process of ours is at work.
bool tidy_directory(const std::filesystem::path& directory);

}  // namespace sallyport
