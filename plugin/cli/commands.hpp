// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Each command of the node tool adds itself: its options, its help, and what it does. That runs while the arguments are
// parsed; it may throw Error.
#pragma once

#include "sallyport/run.hpp"

#include <CLI/CLI.hpp>

namespace sallyport {

void add_status_command(CLI::App& app, const Environment& environment);
void add_flows_command(CLI::App& app, const Environment& environment);
void add_trace_command(CLI::App& app, const Environment& environment);
void add_doctor_command(CLI::App& app, const Environment& environment);
void add_version_command(CLI::App& app, const Environment& environment);

}  // namespace sallyport
