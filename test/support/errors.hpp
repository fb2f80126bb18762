// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel refused, as an exception.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace sallyport::test {

[[noreturn]] inline void fail(int error, const std::string& what)
{
    throw std::system_error(error, std::generic_category(), what);
}

[[noreturn]] inline void fail(const std::string& what)
{
    fail(errno, what);
}

inline void require(bool condition, const char* what)
{
    if (!condition)
        fail(what);
}

}  // namespace sallyport::test
