// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The plugin's executable in the directory where the runtime looks for it. At every moment a whole one stands there, or
// none: a runtime may start it at any time.
#pragma once

#include <filesystem>

namespace sallyport {

/// Where it stands, by the type that our entry names.
std::filesystem::path installed_binary(const std::filesystem::path& bin_dir);

/// Copies `source` there, 0755, also over one that is running. False where the same stood there already. Throws Error
/// that says what to do: no such directory, read-only, noexec, full.
bool install_binary(const std::filesystem::path& source, const std::filesystem::path& bin_dir);

/// Removes it, and what killed installations have left; false where there was none. The caller has made sure that no
/// list names it any more: every pod of the node would fail.
bool remove_binary(const std::filesystem::path& bin_dir);

}  // namespace sallyport
