// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The plugin's entry in a file that changes while we run: a ConfigMap's, which kubelet replaces by turning a symlink,
// or one that somebody edits. What is broken never takes the place of what was right.
#pragma once

#include "sallyport/config.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace sallyport {

class ConfigFile
{
public:
    explicit ConfigFile(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const { return path_; }

    /// Reads it. True where it says something new that now is in force. Throws Error with the path and the place in the
    /// file, where it can't be; what was in force stays. `accept` may throw as well, being asked whether the new one
    /// can take the place of the one before.
    bool refresh(const std::function<void(const Config& before, const Config& next)>& accept);

    /// What is in force; nullopt until there was anything right.
    const std::optional<Config>& config() const { return config_; }

    /// The same as text, as it stands in the file.
    const std::string& text() const { return text_; }

private:
    std::filesystem::path path_;
    std::optional<Config> config_;
    std::string text_;
};

}  // namespace sallyport
