// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include "sallyport/node/agent.hpp"

#include <sallyport/version.hpp>

#include <memory>

namespace sallyport {

void add_agent_command(CLI::App& app, const Environment&)
{
    CLI::App* const command =
        app.add_subcommand("agent", "stays on the node: keeps everything as it should be, and says how it is");
    const auto options = std::make_shared<AgentOptions>();
    options->version = version;
    options->commit = commit;
    add_node_options(*command, *options);
    command
        ->add_option("--listen", options->listen,
                     "where metrics, health and the page are served: [ADDRESS]:PORT, or `off`")
        ->capture_default_str();
    command->callback([options] { run_agent(*options); });
}

}  // namespace sallyport
