// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/screen.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <sstream>

using namespace sallyport;

namespace {

using Variables = std::map<std::string, std::string>;

Screen screen_with(const Variables& variables, bool terminal, ColourWish wish = ColourWish::automatic,
                   TerminalSize size = {120, 40})
{
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const auto getenv = [&](const std::string& name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    return make_screen({{}, getenv, in, out, err, terminal}, wish, size);
}

}  // namespace

TEST_CASE("colours are for terminals, unless somebody says otherwise", "[cli]")
{
    CHECK(screen_with({}, true).colour);
    CHECK_FALSE(screen_with({}, false).colour);
    CHECK_FALSE(screen_with({{"NO_COLOR", "1"}}, true).colour);
    CHECK(screen_with({{"NO_COLOR", ""}}, true).colour);
    CHECK_FALSE(screen_with({{"TERM", "dumb"}}, true).colour);
    CHECK(screen_with({{"NO_COLOR", "1"}}, false, ColourWish::always).colour);
    CHECK_FALSE(screen_with({}, true, ColourWish::never).colour);
}

TEST_CASE("a pipe has any width, and ASCII", "[cli]")
{
    const Screen pipe = screen_with({{"LANG", "C.UTF-8"}}, false);
    CHECK(pipe.width == 0);
    CHECK_FALSE(pipe.unicode);
    CHECK(pipe.arrow() == "->");
}

TEST_CASE("a terminal has its own width, or 80 columns where it doesn't say", "[cli]")
{
    CHECK(screen_with({}, true).width == 120);
    CHECK(screen_with({}, true, ColourWish::automatic, {}).width == 80);
}

TEST_CASE("the first variable of a locale that is set decides about UTF-8", "[cli]")
{
    CHECK(screen_with({{"LANG", "de_DE.utf8"}}, true).unicode);
    CHECK_FALSE(screen_with({{"LC_ALL", "C"}, {"LANG", "C.UTF-8"}}, true).unicode);
    CHECK(screen_with({{"LC_ALL", ""}, {"LC_CTYPE", "en_US.UTF-8"}, {"LANG", "C"}}, true).unicode);
    CHECK_FALSE(screen_with({}, true).unicode);
}
