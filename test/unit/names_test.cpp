// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/names.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>

using namespace sallyport;

namespace {
constexpr std::array<std::string_view, 3> keys = {"gateways", "addresses", "logFile"};
}

TEST_CASE("names are compared exactly")
{
    CHECK(is_one_of("logFile", keys));
    CHECK_FALSE(is_one_of("logfile", keys));
    CHECK_FALSE(is_one_of("", keys));
}

TEST_CASE("a typing error or two away, the known name is proposed")
{
    const auto typo = GENERATE("adresses", "address", "Addresses", "addressses", "adreses", "ADDRESSES");
    INFO(typo);
    CHECK(advice_for(typo, keys) == "did you mean \"addresses\"?");
}

TEST_CASE("further away, all are named")
{
    const auto other = GENERATE("ports", "", "addr", "addressesabc");
    INFO(other);
    CHECK(advice_for(other, keys) == "known are gateways, addresses, logFile");
    CHECK(advice_for(std::string(500000, 'a'), keys) == "known are gateways, addresses, logFile");
}
