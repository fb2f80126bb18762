// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/table.hpp"
#include "sallyport/cli/text.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sstream>

using namespace sallyport;

namespace {

using Align = Column::Align;
using WhenNarrow = Column::WhenNarrow;

Screen terminal(std::size_t width)
{
    Screen screen;
    screen.terminal = screen.unicode = true;
    screen.width = width;
    return screen;
}

TextTable table_of_pods()
{
    TextTable table({{"PORT"},
                     {"POD"},
                     {"BACKEND", Align::left, WhenNarrow::out, 1},
                     {"WHY", Align::left, WhenNarrow::below, 2},
                     {"FLOWS", Align::right},
                     {"IN", Align::right, WhenNarrow::below, 3, false, "in"}});
    table.add({"80/tcp", "apisix/größe", "10.0.0.1:9080", "youngest that listens", "12", "1 B/s"});
    table.add({"", "apisix/b", "10.0.0.2:9080", "a younger pod listens", "3", ""});
    return table;
}

std::size_t widest_line(const std::string& text)
{
    std::istringstream in(text);
    std::size_t widest = 0;
    for (std::string line; std::getline(in, line);)
        widest = std::max(widest, display_width(line));
    return widest;
}

}  // namespace

TEST_CASE("a pipe gets every column, aligned", "[cli]")
{
    CHECK(table_of_pods().render({}) == "PORT    POD           BACKEND        WHY                    FLOWS     IN\n"
                                        "80/tcp  apisix/größe  10.0.0.1:9080  youngest that listens     12  1 B/s\n"
                                        "        apisix/b      10.0.0.2:9080  a younger pod listens      3\n");
}

TEST_CASE("columns give way in their order: out, or below the row", "[cli]")
{
    CHECK(table_of_pods().render(terminal(60)) == "PORT    POD           WHY                    FLOWS     IN\n"
                                                  "80/tcp  apisix/größe  youngest that listens     12  1 B/s\n"
                                                  "        apisix/b      a younger pod listens      3\n");
    CHECK(table_of_pods().render(terminal(40)) == "PORT    POD           FLOWS     IN\n"
                                                  "80/tcp  apisix/größe     12  1 B/s\n"
                                                  "        └ youngest that listens\n"
                                                  "        apisix/b          3\n"
                                                  "        └ a younger pod listens\n");
    CHECK(table_of_pods().render(terminal(30)) == "PORT    POD           FLOWS\n"
                                                  "80/tcp  apisix/größe     12\n"
                                                  "        └ youngest that\n"
                                                  "          listens; in 1 B/s\n"
                                                  "        apisix/b          3\n"
                                                  "        └ a younger pod\n"
                                                  "          listens\n");
}

TEST_CASE("what doesn't fit at all is shortened, but no number is", "[cli]")
{
    CHECK(table_of_pods()
              .render(terminal(25))
              .starts_with("PORT    POD         FLOWS\n"
                           "80/tcp  apis…größe     12\n"));
    for (std::size_t width = 24; width < 90; width++) {
        CAPTURE(width);
        CHECK(widest_line(table_of_pods().render(terminal(width))) <= width);
    }
}

TEST_CASE("a column that gives its width does so before others go", "[cli]")
{
    TextTable table({{"PORT"}, {.title = "POD", .gives_width = true}, {"X", Align::left, WhenNarrow::out, 1}});
    table.add({"80/tcp", "apisix/apisix-7d9c8b6f5-x2x4z", "1234"});
    const std::string text = table.render(terminal(30));
    CHECK(text.find("1234") != std::string::npos);
    CHECK(text.find("…") != std::string::npos);
    CHECK(widest_line(text) == 30);
}

TEST_CASE("a table that is printed piece by piece has one line of titles, and columns that stay", "[cli]")
{
    TextTable table({{"A"}, {"B"}});
    table.add({"wide-one", "1"});
    CHECK(table.render({}) == "A         B\nwide-one  1\n");
    CHECK(table.rows() == 0);
    table.add({"x", "2"});
    CHECK(table.render({}) == "x         2\n");
    table.add({"an-even-wider-one", "3"});
    CHECK(table.render({}) == "an-even-wider-one  3\n");
    CHECK(table.render({}).empty());
}

TEST_CASE("colours surround texts, never blanks, and only where they are wanted", "[cli]")
{
    TextTable table({{"A"}, {"B"}});
    table.add({Cell("yes", Tone::good), "x\x1b[0m"});
    Screen screen;
    screen.colour = true;
    CHECK(table.render(screen) == "\x1b[1mA\x1b[0m    \x1b[1mB\x1b[0m\n"
                                  "\x1b[32myes\x1b[0m  x?[0m\n");
}
