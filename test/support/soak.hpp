// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tests that send much have two sizes: one for every `make test`, and the one that the project promises (`make soak`).
#pragma once

#include <cstdlib>

namespace sallyport::test {

inline bool soaking()
{
    const char* wanted = std::getenv("SALLYPORT_SOAK");
    return wanted != nullptr && *wanted != '\0';
}

template <typename Amount>
Amount amount(Amount in_short, Amount in_full)
{
    return soaking() ? in_full : in_short;
}

}  // namespace sallyport::test
