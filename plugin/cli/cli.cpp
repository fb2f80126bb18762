// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli.hpp"

#include "commands.hpp"

#include "sallyport/abi.h"
#include "sallyport/error.hpp"

#include <sallyport/version.hpp>

#include <ostream>

namespace sallyport {

namespace {

constexpr int wrong_arguments = 2;

constexpr const char* footer =
    R"(As a CNI plugin, sallyport is called by the container runtime with CNI_COMMAND set; it stands
after the primary plugin in the conflist. Pods ask for node ports in annotations:

  sallyport.dev/expose: "80:9080, 443:9443"

Examples:
  sallyport status                 who has which port of this node, and who takes new connections
  sallyport status --json | jq     the same for programs)";

void print_version(std::ostream& out)
{
    out << "sallyport " << version << "\nABI       " << SALLYPORT_ABI << "\ncommit    " << commit << '\n';
}

}  // namespace

void add_bpffs_option(CLI::App& command, std::filesystem::path& bpffs)
{
    command.add_option("--bpffs", bpffs, "where the BPF file system is mounted")->capture_default_str();
}

void add_version_command(CLI::App& app, const Environment& environment)
{
    app.add_subcommand("version", "version, ABI version, commit")->callback([&environment] {
        print_version(environment.out);
    });
}

int run_tool(const Environment& environment)
{
    CLI::App app{"Sallyport binds ports of this node to gateway pods, with eBPF.", "sallyport"};
    app.footer(footer);
    app.require_subcommand(1);
    add_agent_command(app, environment);
    add_status_command(app, environment);
    add_install_command(app, environment);
    add_uninstall_command(app, environment);
    add_version_command(app, environment);

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
