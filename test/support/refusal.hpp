// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a call refuses and how that reads: code and message together, so that a test can't check one and forget the
// other.
#pragma once

#include "sallyport/error.hpp"

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <initializer_list>
#include <string>

namespace sallyport::test {

/// Fails unless `call` throws Error with this code, in one line that holds all the parts.
template <typename Call>
void require_refusal(const Call& call, Code code, std::initializer_list<std::string> parts)
{
    try {
        call();
    } catch (const Error& error) {
        const std::string message = error.what();
        INFO(message);
        CHECK(error.code() == code);
        CHECK(message.find('\n') == std::string::npos);
        CHECK(message.size() < 600);
        for (const std::string& part : parts)
            CHECK_THAT(message, Catch::Matchers::ContainsSubstring(part));
        return;
    }
    FAIL("nothing was refused");
}

}  // namespace sallyport::test
