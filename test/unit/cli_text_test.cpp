// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/text.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

TEST_CASE("width is counted in columns, not bytes", "[cli]")
{
    CHECK(display_width("") == 0);
    CHECK(display_width("apisix") == 6);
    CHECK(display_width("größe") == 5);
    CHECK(display_width("→✔…") == 3);
    CHECK(display_width("e\u0301") == 1);  // a combining accent
    CHECK(display_width("日本") == 4);
    CHECK(display_width("🚢") == 2);
}

TEST_CASE("bytes that aren't UTF-8 take a column each, and nothing is read past the end", "[cli]")
{
    CHECK(display_width("\xff\xfe") == 2);
    CHECK(display_width("a\xc3") == 2);
    CHECK(display_width("\xe2\x82") == 2);
    CHECK(display_width("\xc0\xaf") == 2);  // an overlong slash
}

TEST_CASE("control characters never reach the terminal", "[cli]")
{
    CHECK(printable("gate\x1b[31mway\n\x7f") == "gate?[31mway??");
    CHECK(printable("größe") == "größe");
    CHECK(printable("a\xc2\x9b"
                    "31mb") == "a?31mb");  // ESC [ in one character
    CHECK(printable("a\x9b"
                    "31mb") == "a?31mb");  // and as terminals without UTF-8 read it
    CHECK(printable("exe\u202egpj") == "exe?gpj");
    CHECK(printable("\u200e\u2028\u2066x\u2069\u061c") == "???x??");
    CHECK(printable("日本 🚢 e\u0301 עברית") == "日本 🚢 e\u0301 עברית");
}

TEST_CASE("names are shortened in their middle", "[cli]")
{
    CHECK(shortened("apisix-1", 8, "…") == "apisix-1");
    CHECK(shortened("apisix/apisix-7d9c8b6f5-x2x4z", 13, "…") == "apisix…-x2x4z");
    CHECK(shortened("apisix/apisix-7d9c8b6f5-x2x4z", 13, "...") == "apisi...x2x4z");
    CHECK(shortened("日本日本", 5, "…") == "日…本");
    CHECK(display_width(shortened("日本日本", 4, "…")) <= 4);
    CHECK(shortened("abcdef", 2, "...") == "af");
    CHECK(shortened("abcdef", 0, "...").empty());
}

TEST_CASE("text is wrapped at blanks", "[cli]")
{
    CHECK(wrapped("", 10) == Lines{""});
    CHECK(wrapped("one two three", 7) == Lines{"one two", "three"});
    CHECK(wrapped("one  two", 20) == Lines{"one two"});
    CHECK(wrapped("a https://example.test/ b", 5) == Lines{"a", "https://example.test/", "b"});
    CHECK(wrapped("zwölf größe", 11) == Lines{"zwölf größe"});
}

TEST_CASE("rates have a unit that fits", "[cli]")
{
    CHECK(human_rate(0) == "0 B/s");
    CHECK(human_rate(999.4) == "999 B/s");
    CHECK(human_rate(999.6) == "1.0 kB/s");
    CHECK(human_rate(1234567) == "1.2 MB/s");
    CHECK(human_rate(99'960'000) == "100 MB/s");
    CHECK(human_rate(5e12) == "5000 GB/s");
}

TEST_CASE("durations have their two largest units", "[cli]")
{
    CHECK(human_duration(-5ms) == "0 ms");
    CHECK(human_duration(999ms) == "999 ms");
    CHECK(human_duration(59s) == "59 s");
    CHECK(human_duration(60s) == "1 min");
    CHECK(human_duration(185s) == "3 min 5 s");
    CHECK(human_duration(2h + 10min + 59s) == "2 h 10 min");
    CHECK(human_duration(2h + 59s) == "2 h");
    CHECK(human_duration(75h) == "3 d 3 h");
}
