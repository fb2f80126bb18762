// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The DaemonSet's process: stays, and keeps everything on this node as it should be. Traffic doesn't need it: it may
// end, or be killed, at any time.
#pragma once

#include "sallyport/node_options.hpp"

namespace sallyport {

/// Until SIGTERM or SIGINT. Leaves the plugin, its entry in the chain, and all bindings as they are.
void run_agent(const AgentOptions& options);

}  // namespace sallyport
