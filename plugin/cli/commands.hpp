// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Each command of the node tool adds itself: its options, its help, and what it does. That runs while the arguments are
// parsed; it may throw Error.
#pragma once

#include "sallyport/node_options.hpp"
#include "sallyport/run.hpp"

#include <CLI/CLI.hpp>

namespace sallyport {

void add_agent_command(CLI::App& app, const Environment& environment);
void add_status_command(CLI::App& app, const Environment& environment);
void add_flows_command(CLI::App& app, const Environment& environment);
void add_trace_command(CLI::App& app, const Environment& environment);
void add_doctor_command(CLI::App& app, const Environment& environment);
void add_affinity_command(CLI::App& app, const Environment& environment);
void add_version_command(CLI::App& app, const Environment& environment);
void add_install_command(CLI::App& app, const Environment& environment);
void add_uninstall_command(CLI::App& app, const Environment& environment);

/// For commands that install and remove: where this node keeps what.
void add_node_options(CLI::App& command, NodeOptions& options);

}  // namespace sallyport
