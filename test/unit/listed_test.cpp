// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/listed.hpp"

#include <catch2/catch_test_macros.hpp>

#include <vector>

using namespace sallyport;

namespace {

struct Place
{
    std::string name;
    int number;
    std::string to_string() const { return name + std::to_string(number); }
};

}  // namespace

TEST_CASE("things are listed in their order, whatever makes a text of them")
{
    const std::vector<Place> places{{"b", 2}, {"a", 1}};
    CHECK(listed(places, &Place::name) == "b, a");
    CHECK(listed(places, &Place::to_string) == "b2, a1");
    CHECK(listed(places, [](const Place& place) { return std::to_string(place.number); }) == "2, 1");
    CHECK(listed(std::vector<std::string_view>{"one"}) == "one");
    CHECK(listed(std::vector<std::string>{}).empty());
}

TEST_CASE("an empty text keeps its place")
{
    CHECK(listed(std::vector<std::string>{"", "a", ""}) == ", a, ");
}
