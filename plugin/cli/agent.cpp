// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include "sallyport/error.hpp"
#include "sallyport/node/agent.hpp"
#include "sallyport/web.hpp"

#include <sallyport/version.hpp>

#include <memory>

namespace sallyport {

namespace {

constexpr const char* agent_description =
    R"(stays on the node, keeps everything as it should be, and says how it is

The process of the DaemonSet. Copies this program to where the runtime looks
for plugins, keeps sallyport's entry in the active network whoever rewrites
that, follows the node's addresses, devices and cgroups, keeps the programs
before everybody else's, attaches gateway pods that are older than the entry,
and forgets those that vanished. Follows its configuration when the file
changes. Traffic doesn't need it.)";

constexpr const char* agent_sections =
    R"(HTTP
  /               the page for people
  /metrics        for Prometheus
  /healthz        200 while the agent's loop turns
  /readyz         200 while everything is in place; else 503 and the reasons
  /ports/443      200 while a pod of this node listens behind that port, else
  /ports/443/udp  503 and why: the health check of a load balancer
  /status.json    what the page shows

SIGNALS
  SIGTERM, SIGINT  turns not ready, serves a moment longer, and ends. Entry,
                   program and state stay: an upgrade looks the same.

EXIT STATUS
  0  ended by a signal
  1  couldn't begin; stderr says why
  2  wrong arguments

EXAMPLES
  sallyport agent --config entry.json --listen 127.0.0.1:9465

FILES
  /etc/sallyport/config.json  sallyport's entry, as in a CNI list
  /etc/cni/net.d              the runtime's configuration
  /opt/cni/bin/sallyport      the program that the runtime calls)";

std::string where_to_listen(const std::string& text)
{
    try {
        if (text != "off")
            check_listen(text);
        return {};
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace

void add_agent_command(CLI::App& app, const Environment&)
{
    CLI::App* const command = app.add_subcommand("agent", agent_description)->footer(agent_sections);
    const auto options = std::make_shared<AgentOptions>();
    options->version = version;
    options->commit = commit;
    add_node_options(*command, *options);
    command
        ->add_option("--listen", options->listen,
                     "where metrics, health and the page are served: [ADDRESS]:PORT, or `off`")
        ->check(where_to_listen)
        ->option_text("WHERE")
        ->capture_default_str();
    command->callback([options] { run_agent(*options); });
}

}  // namespace sallyport
