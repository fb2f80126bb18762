// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The node tool: what people on call type. Only looks, and changes nothing.
#pragma once

#include "sallyport/run.hpp"

#include <filesystem>

namespace sallyport {

/// Parses the arguments and runs the subcommand. Returns the exit status: 0, 1 for a failure, 2 for wrong arguments.
int run_tool(const Environment& environment);

struct StatusOptions
{
    std::filesystem::path bpffs = "/sys/fs/bpf";
    bool json = false;
};

/// Prints each node port with its pods, which one takes new connections and why, flows and rates. Takes half a second:
/// rates are the difference of two looks.
void print_status(const StatusOptions& options, const Environment& environment);

}  // namespace sallyport
