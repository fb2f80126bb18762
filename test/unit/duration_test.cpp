// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/duration.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

TEST_CASE("a duration is a whole number with its unit")
{
    CHECK(parse_duration("0") == 0ms);
    CHECK(parse_duration("0s") == 0ms);
    CHECK(parse_duration("0ms") == 0ms);
    CHECK(parse_duration("1ms") == 1ms);
    CHECK(parse_duration("1500ms") == 1500ms);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("1m") == 60s);
    CHECK(parse_duration("4294967295m") == std::chrono::minutes(4294967295));
}

TEST_CASE("nothing else is a duration")
{
    const auto text =
        GENERATE(""sv, "s"sv, "ms"sv, "1"sv, "60"sv, "1.5s"sv, "-1s"sv, "+1s"sv, " 1s"sv, "1s "sv, "1 s"sv, "01s"sv,
                 "00"sv, "1h"sv, "1S"sv, "1m30s"sv, "1sec"sv, "4294967296ms"sv, "soon"sv, "1s\0"sv, "0x1s"sv);
    INFO(text);
    CHECK_FALSE(parse_duration(text));
}

TEST_CASE("a duration is shown in seconds where it is of seconds")
{
    CHECK(to_string(0ms) == "0s");
    CHECK(to_string(60s) == "60s");
    CHECK(to_string(1500ms) == "1500ms");
}
