// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the commands that only look have in common: their options, and the way to the state.
#pragma once

#include "sallyport/cli/screen.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"
#include "sallyport/run.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <optional>
#include <utility>

namespace sallyport {

struct ViewOptions
{
    std::filesystem::path bpffs = Paths{}.bpffs;
    bool json = false;
    ColourWish colour = ColourWish::automatic;
};

/// `--json`, `--color`, `--bpffs`. `options` must outlive the parsing.
void add_view_options(CLI::App& command, ViewOptions& options);

/// What is pinned there; nullopt where there is nothing. Throws Error where it may not be read, or was made by an
/// incompatible version: its tables would be read as what they are not.
std::optional<Datapath> find_datapath(const std::filesystem::path& bpffs);

/// What `look` returns for the state that is there; nullopt where there is none. For looks that are taken again and
/// again: a gateway pod's DEL may remove the state, and an ADD make it anew, between any two steps of one.
template <typename Look>
auto look_at_state(const std::filesystem::path& bpffs, const Look& look)
    -> std::optional<decltype(look(std::declval<const Datapath&>()))>
{
    for (int attempts = 3;; attempts--) {
        try {
            if (const auto datapath = find_datapath(bpffs))
                return look(*datapath);
            return std::nullopt;
        } catch (const Error&) {
            if (attempts == 1)
                throw;
        }
    }
}

/// The screen as it is now: terminals change their size.
Screen screen_of(const Environment& environment, const ViewOptions& options);

}  // namespace sallyport
