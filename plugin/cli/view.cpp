// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "view.hpp"

#include "checks.hpp"

#include "sallyport/error.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/os/netlink.hpp"

#include <unistd.h>

#include <map>
#include <string>

namespace sallyport {

namespace {

/// "No pod holds a port" must not be said where ours are held, and their state is below another bpffs: each mount
/// namespace may have one of its own.
void refuse_hidden_state(const Paths& paths)
{
    if (Datapath::exists(paths))
        return;
    const auto devices = devices_that_run_ours(read_node_network().devices);
    if (devices.empty() || Datapath::exists(paths))  // an ADD may have made it meanwhile
        return;
    throw Error(Code::io_failure,
                "our programs run at " + listed(devices) + " of this node, and their state isn't below " +
                    (paths.bpffs / "sallyport").string() + " as it is seen from here; " + look_elsewhere);
}

}  // namespace

void add_view_options(CLI::App& command, ViewOptions& options)
{
    const std::map<std::string, ColourWish> wishes{
        {"auto", ColourWish::automatic}, {"always", ColourWish::always}, {"never", ColourWish::never}};
    command.add_flag("--json", options.json, "print JSON, for programs");
    command
        .add_option_function<std::string>(
            "--color", [&options, wishes](const std::string& text) { options.colour = wishes.at(text); },
            "auto, always or never. Auto: on a terminal, unless NO_COLOR is set")
        ->check(one_of({"auto", "always", "never"}))
        ->option_text("WHEN")
        ->default_str("auto");
    command.add_option("--bpffs", options.bpffs, "where the BPF file system is mounted")
        ->option_text("DIR")
        ->capture_default_str();
}

std::optional<Datapath> find_datapath(const std::filesystem::path& bpffs)
{
    const Paths paths{.bpffs = bpffs, .cgroup = {}, .state_dir = {}};
    if (::geteuid() != 0 && !Datapath::exists(paths))
        throw Error(Code::io_failure, "read " + (bpffs / "sallyport").string() +
                                          ": it isn't there, or not for this user; run it as root");
    require_own_abi(paths);
    refuse_hidden_state(paths);
    return Datapath::find(paths);
}

Screen screen_of(const Environment& environment, const ViewOptions& options)
{
    return make_screen(environment, options.colour, environment.terminal ? terminal_size() : TerminalSize{});
}

}  // namespace sallyport
