// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli.hpp"

#include "commands.hpp"
#include "manual.hpp"

#include "sallyport/abi.h"
#include "sallyport/error.hpp"
#include "sallyport/names.hpp"

#include <sallyport/version.hpp>

#include <memory>
#include <ostream>
#include <string_view>
#include <vector>

namespace sallyport {

namespace {

constexpr int wrong_arguments = 2;

constexpr const char* program_description =
    R"(ports of this node for gateway pods, with eBPF

Called by a container runtime, with CNI_COMMAND set, sallyport is a CNI plugin
that stands after the primary plugin in the conflist. Pods ask for ports of
the node in annotations:

  sallyport.dev/expose: "80:9080, 443:9443"

Typed by people, it shows what is there, and keeps a node in order.)";

constexpr const char* program_sections =
    R"(EXIT STATUS
  0  done
  1  failed; stderr says why, in a line that begins with "sallyport: "
  2  wrong arguments

EXAMPLES
  sallyport status          who has which port of this node
  sallyport status --watch  the same, refreshed every 2 seconds
  sallyport doctor          is this node in order, and if not, what to do?
  sallyport help status     the manual of a command

FILES
  /etc/cni/net.d          the runtime's configuration, with our entry in it
  /opt/cni/bin/sallyport  this program, where the runtime looks for it
  /sys/fs/bpf/sallyport   the state: pinned maps, programs and links
  /run/sallyport/lock     held while that is changed
  /var/log/sallyport.log  what the plugin did)";

constexpr const char* version_description =
    R"(version, ABI version, commit

Prints three lines. The ABI is that of the tables below /sys/fs/bpf/sallyport:
programs of one ABI can work with each other's.)";

constexpr const char* version_sections =
    R"(EXIT STATUS
  0  always

EXAMPLES
  sallyport version
  /opt/cni/bin/sallyport version   of the one that the runtime calls)";

constexpr const char* help_description =
    R"(the manual of a command

The same as `sallyport COMMAND --help`.)";

constexpr const char* help_sections =
    R"(EXIT STATUS
  0  shown
  2  there is no such command

EXAMPLES
  sallyport help status)";

std::string version_text()
{
    return "sallyport " + std::string(version) + "\nABI       " + std::to_string(SALLYPORT_ABI) + "\ncommit    " +
           std::string(commit);
}

/// Returns the exit status.
int complain(const Environment& environment, const std::string& about)
{
    environment.err << "sallyport: " << about << '\n';
    return wrong_arguments;
}

/// What to say where the first argument is no option and no command either: CLI11 would only miss a command. Else "".
std::string unknown_command(const CLI::App& app, const std::vector<std::string>& arguments)
{
    if (arguments.empty() || arguments[0].starts_with('-'))
        return {};
    std::vector<std::string_view> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(command->get_name());
    return is_one_of(arguments[0], names)
               ? ""
               : "there is no command " + in_quotes(arguments[0]) + "; " + advice_for(arguments[0], names);
}

void add_help_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("help", help_description)->footer(help_sections);
    const auto topic = std::make_shared<std::string>();
    command->add_option("COMMAND", *topic, "whose manual; without, that of the tool itself");
    command->callback([&app, &environment, topic] {
        const auto about = app.get_subcommands([&](const CLI::App* each) { return each->get_name() == *topic; });
        if (!topic->empty() && about.empty())
            throw CLI::RuntimeError(complain(environment, unknown_command(app, {*topic})));
        environment.out << (topic->empty() ? app : *about[0]).help();
    });
}

}  // namespace

void add_version_command(CLI::App& app, const Environment& environment)
{
    app.add_subcommand("version", version_description)->footer(version_sections)->callback([&environment] {
        environment.out << version_text() << '\n';
    });
}

int run_tool(const Environment& environment)
{
    CLI::App app{program_description, "sallyport"};
    app.formatter(std::make_shared<Manual>());
    app.footer(program_sections);
    app.set_help_flag("-h,--help", "this manual");
    app.require_subcommand(1);
    app.set_version_flag("--version", version_text(), "as `sallyport version`");
    app.failure_message([](const CLI::App* tool, const CLI::Error& error) {
        const auto commands = tool->get_subcommands();  // that the arguments name: one at the most
        return std::string("sallyport: ") + error.what() + "; `sallyport " +
               (commands.empty() ? "" : commands[0]->get_name() + " ") + "--help` says more\n";
    });
    add_status_command(app, environment);
    add_flows_command(app, environment);
    add_trace_command(app, environment);
    add_doctor_command(app, environment);
    add_affinity_command(app, environment);
    add_agent_command(app, environment);
    add_install_command(app, environment);
    add_uninstall_command(app, environment);
    add_version_command(app, environment);
    add_help_command(app, environment);

    if (const std::string unknown = unknown_command(app, environment.arguments); !unknown.empty()) {
        return complain(environment, unknown);
    }
    try {
        std::vector<std::string> reversed(environment.arguments.rbegin(), environment.arguments.rend());
        app.parse(std::move(reversed));  // CLI11 takes a vector from its end
        return 0;
    } catch (const CLI::RuntimeError& result) {  // a command that ran, and has an exit status to tell
        return result.get_exit_code();
    } catch (const CLI::ParseError& error) {
        const int status_code = app.exit(error, environment.out, environment.err);
        return status_code == 0 ? 0 : wrong_arguments;
    } catch (const Error& error) {
        environment.err << "sallyport: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace sallyport
