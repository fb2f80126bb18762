// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What output is written for: a terminal with its width, colours and characters, or a pipe, which gets plain ASCII of
// any width.
#pragma once

#include "sallyport/run.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport {

/// `--color`
enum class ColourWish { automatic, always, never };

enum class Tone { plain, good, warning, bad, accent, dim, bold };

struct Screen
{
    bool terminal = false;
    bool colour = false;
    bool unicode = false;    ///< else ASCII
    std::size_t width = 0;   ///< columns; 0: any
    std::size_t height = 0;  ///< lines; 0: any

    /// The text in that tone, where there are colours.
    std::string paint(std::string_view text, Tone tone) const;

    std::string_view arrow() const { return unicode ? "→" : "->"; }
    std::string_view ellipsis() const { return unicode ? "…" : "..."; }
};

/// Columns and lines of the terminal that stdout is; 0 where it is none, or doesn't say.
struct TerminalSize
{
    std::size_t width = 0;
    std::size_t height = 0;
};

TerminalSize terminal_size();

/// NO_COLOR (https://no-color.org) and TERM=dumb count with `automatic`; LC_ALL, LC_CTYPE and LANG say whether the
/// terminal reads UTF-8.
Screen make_screen(const Environment& environment, ColourWish colour, TerminalSize size);

}  // namespace sallyport
