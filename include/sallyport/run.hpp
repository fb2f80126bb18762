// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The process as a function.
#pragma once

#include "sallyport/cni/request.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace sallyport {

/// What the process gets from outside, beside the kernel.
struct Environment
{
    std::vector<std::string> arguments;  ///< without the program's name
    GetEnv getenv;
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
    bool terminal = false;  ///< is `out` one?
};

/// With CNI_COMMAND set the CNI plugin, otherwise the node tool. Returns the exit status; throws nothing.
int run(const Environment& environment) noexcept;

}  // namespace sallyport
