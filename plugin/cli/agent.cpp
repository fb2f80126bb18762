// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
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
changes. In a cluster it tells the datapath what the API server says of this
node's pods, and the API server of pods that were refused. Traffic doesn't
need it.)";

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

ENVIRONMENT
  KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT
              where the API server is, as kubelet tells each pod
  NODE_NAME   this node's name there, by the pod's own manifest

FILES
  /etc/sallyport/config.json  sallyport's entry, as in a CNI list
  /etc/cni/net.d              the runtime's configuration
  /opt/cni/bin/sallyport      the program that the runtime calls
  /var/run/secrets/kubernetes.io/serviceaccount
                              the token for the API server, and who signs for it)";

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

/// Where there is one and it can't be asked, the agent does everything else.
void find_cluster(const GetEnv& getenv, AgentOptions& options)
{
    try {
        options.cluster = in_cluster(getenv);
    } catch (const Error& error) {
        options.cluster_problem = error.what();
    }
}

}  // namespace

void add_agent_command(CLI::App& app, const Environment& environment)
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
    const auto kubernetes = std::make_shared<std::string>("auto");
    command
        ->add_option("--kubernetes", *kubernetes,
                     "whether to follow what the API server says of this node's pods: `auto`, where a service account "
                     "is mounted; or `off`")
        ->check(one_of({"auto", "off"}))
        ->option_text("WHETHER")
        ->capture_default_str();
    command->callback([options, kubernetes, getenv = environment.getenv] {
        if (*kubernetes == "auto")
            find_cluster(getenv, *options);
        run_agent(*options);
    });
}

}  // namespace sallyport
