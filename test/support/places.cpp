// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/places.hpp"

#include <cstdlib>

namespace sallyport::test {

std::string sallyport_binary()
{
    const char* binary = std::getenv("SALLYPORT_BIN");
    return binary ? binary : SALLYPORT_BIN;
}

std::string runtime_gateway()
{
    return SALLYPORT_BUILD_DIR "/runtime_gateway";
}

std::string source_directory()
{
    return SALLYPORT_SOURCE_DIR;
}

}  // namespace sallyport::test
