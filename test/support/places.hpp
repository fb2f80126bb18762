// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where this build's own files are. No other file is told so when it is compiled.
#pragma once

#include <string>

namespace sallyport::test {

/// The program under test: the variable SALLYPORT_BIN, or else the one that was built with the tests.
std::string sallyport_binary();

/// What pods of tier runtime run (test/runtime/image/).
std::string runtime_gateway();

/// The checkout that the tests were built from.
std::string source_directory();

}  // namespace sallyport::test
