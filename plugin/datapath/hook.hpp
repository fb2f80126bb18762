// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One program of ours at one place: by a tcx link, whose pin keeps it there, or below kernel 6.6 by a tc filter, of
// which a pin is the note. Works in the network namespace that the calling thread is in.
#pragma once

#include "place.hpp"

#include <linux/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace sallyport {

class Hook
{
public:
    /// The pins' full names, whether they are there or not.
    Hook(Place place, std::filesystem::path link, std::filesystem::path filter)
        : place_(place),
          link_(std::move(link)),
          filter_(std::move(filter))
    {}

    /// The id of the program that runs there by our doing; 0 where none does.
    __u32 program() const;

    /// What runs before it, in words; nullopt where nothing does, or where ours isn't there.
    std::optional<std::string> behind() const;

    /// Where no program of ours runs there, of whichever build, or not before all others: what is missing at `where`,
    /// in words.
    std::optional<std::string> missing(const std::string& where) const;

    /// Is it a link behind others? Only a link of another program can then be put first: a link can't be moved, and the
    /// kernel takes no program twice into one chain.
    bool is_displaced_link() const;

    /// Makes `program` run there, before all others. Where another of ours runs it is replaced in one step, or leaves
    /// only after this one came: no packet passes without us. Throws Error.
    ///
    /// Where is_displaced_link(), `program` must be another than program().
    void run_first(int program) const;

    /// Takes it away; nothing where it isn't.
    void leave() const;

private:
    bool link_first(int program) const;

    Place place_;
    std::filesystem::path link_;
    std::filesystem::path filter_;
};

}  // namespace sallyport
