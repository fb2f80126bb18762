// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace sallyport {

namespace {

const char* code_of(Tone tone)
{
    switch (tone) {
    case Tone::plain:
        return "";
    case Tone::good:
        return "\x1b[32m";
    case Tone::warning:
        return "\x1b[33m";
    case Tone::bad:
        return "\x1b[31m";
    case Tone::accent:
        return "\x1b[36m";
    case Tone::dim:
        return "\x1b[2m";
    case Tone::bold:
        return "\x1b[1m";
    }
    return "";
}

/// POSIX: the first of these that is set and not empty decides.
bool is_utf8_locale(const GetEnv& getenv)
{
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        std::string value = getenv(name).value_or("");
        if (value.empty())
            continue;
        std::transform(value.begin(), value.end(), value.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

}  // namespace

std::string Screen::paint(std::string_view text, Tone tone) const
{
    if (!colour || tone == Tone::plain || text.empty())
        return std::string(text);
    return code_of(tone) + std::string(text) + "\x1b[0m";
}

TerminalSize terminal_size()
{
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return {};
    return {size.ws_col, size.ws_row};
}

Screen make_screen(const Environment& environment, ColourWish colour, TerminalSize size)
{
    const auto is_set = [&](const char* name) { return !environment.getenv(name).value_or("").empty(); };
    Screen screen;
    screen.terminal = environment.terminal;
    screen.colour =
        colour == ColourWish::always || (colour == ColourWish::automatic && environment.terminal &&
                                         !is_set("NO_COLOR") && environment.getenv("TERM").value_or("") != "dumb");
    if (environment.terminal) {
        screen.unicode = is_utf8_locale(environment.getenv);
        screen.width = size.width > 0 ? size.width : 80;
        screen.height = size.height;
    }
    return screen;
}

}  // namespace sallyport
