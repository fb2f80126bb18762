// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Ends the test where a CNI call failed, and shows what it said.
#pragma once

#include "support/cni.hpp"

#include <catch2/catch_test_macros.hpp>

namespace sallyport::test {

inline void require_ok(const Answer& answer)
{
    INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
    REQUIRE(answer.ok());
}

}  // namespace sallyport::test
