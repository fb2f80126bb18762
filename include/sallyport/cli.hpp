// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node tool: what people type.
#pragma once

#include "sallyport/run.hpp"

namespace sallyport {

/// Parses the arguments and runs the subcommand. Returns the exit status: 0, 1 for a failure, 2 for wrong arguments.
int run_tool(const Environment& environment);

}  // namespace sallyport
