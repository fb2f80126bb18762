// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include "sallyport/chain/binary.hpp"
#include "sallyport/chain/keeper.hpp"
#include "sallyport/chain/method.hpp"
#include "sallyport/config.hpp"
#include "sallyport/conflicts.hpp"
#include "sallyport/cri.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"
#include "sallyport/failures.hpp"
#include "sallyport/given_up.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/node/succession.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/refusals.hpp"

#include <signal.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <memory>
#include <ostream>
#include <sstream>
#include <thread>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

constexpr auto lock_patience = 30s;   ///< each holder needs milliseconds
constexpr auto must_stay_for = 1s;    ///< an owner who takes our entry out answers sooner
constexpr auto wait_at_most = 500ms;  ///< until the keeper's next look; else it waits for something

constexpr const char* install_description =
    R"(puts the program and its entry in their places, once

Copies this program to where the runtime looks for plugins, and then puts
sallyport's entry into the network that is active on this node. Nothing stays
to keep it there: where Cilium or anybody else rewrites that list, run
`sallyport agent`.)";

constexpr const char* install_sections =
    R"(EXIT STATUS
  0  both are in their places
  1  something failed, or there is no active network yet; stderr says what to do
  2  wrong arguments

EXAMPLES
  echo '{"gateways": {"namespaces": ["apisix"]}}' > entry.json
  sallyport install --config entry.json)";

constexpr const char* uninstall_description =
    R"(takes everything of sallyport's off this node

The entry leaves the networks first, then the program goes, then what is in
the kernel: gateway pods that still run lose their node ports, and are named.
Under CRI-O the program stays, as CRI-O calls it for every pod that was
started with it; remove it after the node was drained. The log stays, too.
Every step is tried; run it again after a failure.)";

constexpr const char* uninstall_sections =
    R"(EXIT STATUS
  0  nothing is left but what stdout names
  1  a step failed; stderr says which and why
  2  wrong arguments

EXAMPLES
  sallyport uninstall
  sallyport uninstall --stay    in a DaemonSet, after the agent's was deleted)";

std::string read_entry(const std::filesystem::path& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || std::filesystem::is_directory(path))
        throw Error(Code::io_failure, "read " + path.string() + ": " + errno_text(file ? EISDIR : errno) +
                                          "; give our entry of the CNI list with --config");
    return text.str();
}

Config checked(const std::string& entry, const std::filesystem::path& path)
{
    try {
        return parse_entry(entry);
    } catch (const Error& error) {
        throw error.during("read " + path.string());
    }
}

std::optional<RuntimeVersion> ask_runtime(const NodeOptions& options, std::ostream& err)
{
    try {
        if (const auto socket = find_cri_socket(options.cri_socket))
            return CriClient(*socket).version();
    } catch (const Error& error) {
        err << "sallyport: " << error.what() << '\n';
    }
    return std::nullopt;
}

/// Throws Error(invalid_environment) where this node's runtime would never, or not always, call us there.
ChainMethod method_of(const NodeOptions& options, std::ostream& err)
{
    if (options.chain == ChainMethod::conflist)
        return options.chain;
    const auto runtime = ask_runtime(options, err);
    if (options.chain == ChainMethod::automatic)
        return runtime ? method_for(runtime->name, runtime->version) : ChainMethod::conflist;
    if (const std::string objection =
            runtime ? objection_to(options.chain, runtime->name, runtime->version) : std::string();
        !objection.empty())
        throw Error(Code::invalid_environment, objection);
    return options.chain;
}

/// Until the entry has stayed for a moment, or can't be put there.
ChainReport put_entry(ChainKeeper& keeper)
{
    ChainReport report = keeper.keep();
    auto since = std::chrono::steady_clock::now();
    for (auto now = since; report.in_place ? now - since < must_stay_for : keeper.next_look() - now < wait_at_most;
         now = std::chrono::steady_clock::now()) {
        std::this_thread::sleep_for(20ms);
        const std::uint64_t before = report.rewrites;
        report = keeper.keep();
        if (!report.in_place || report.rewrites != before)
            since = now;
    }
    return report;
}

void install(const NodeOptions& options, const Environment& environment)
{
    const std::string entry = read_entry(options.config);
    require_own_abi(checked(entry, options.config).paths);  // else every gateway pod would fail from now on
    const ChainMethod method = method_of(options, environment.err);
    const bool copied = install_binary("/proc/self/exe", options.cni_bin_dir);
    environment.out << installed_binary(options.cni_bin_dir).string() << (copied ? ": installed\n" : ": as it was\n")
                    << std::flush;

    ChainKeeper keeper(options.cni_conf_dir, method);
    keeper.set_entry(entry);
    const ChainReport report = put_entry(keeper);
    if (!report.in_place)
        throw Error(Code::not_available, "our entry isn't in the CNI chain: " + report.problem);
    environment.out << report.file.string() << ": our entry " << (report.rewrites > 0 ? "put in" : "as it was")
                    << ", network " << in_quotes(report.network) << '\n';
    if (!report.problem.empty())
        environment.err << "sallyport: " << report.problem << '\n';
}

/// Where our state is; the defaults where the configuration can't say it any more.
Config config_to_clear(const NodeOptions& options, std::ostream& err)
{
    try {
        return checked(read_entry(options.config), options.config);
    } catch (const Error& error) {
        Config config;
        err << "sallyport: " << error.what() << "; looking for our state in " << config.paths.bpffs.string() << " and "
            << config.paths.state_dir.string() << ", where it is by default\n";
        return config;
    }
}

void name_losers(const Paths& paths, std::ostream& err)
{
    std::optional<Datapath> datapath;
    try {
        datapath = Datapath::find(paths);
    } catch (const Error& error) {
        err << "sallyport: which pods lose their node ports can't be told: " << error.what() << '\n';
    }
    if (!datapath)
        return;
    for (const BoundPod& pod : datapath->bindings().pods()) {
        err << "sallyport: pod " << pod.pod() << " loses";
        for (const Exposure& exposure : datapath->bindings().exposures_of(pod.id))
            err << ' ' << exposure.node_port.to_string();
        err << '\n';
    }
}

/// nullopt where there is no directory for the lock, and none can be made: no plugin call can be at work then.
std::optional<FileLock> lock_out_plugin(const Paths& paths)
{
    try {
        return FileLock::take(paths.state_dir, lock_patience);
    } catch (const Error& error) {
        if (error.code() == Code::try_again_later)
            throw;
        return std::nullopt;
    }
}

/// What is others' in the state directory stays, and so do a living agent's file, and the note of the pods that went on
/// without their node ports: CRI-O calls the plugin for them.
void remove_state(const Paths& paths)
{
    std::error_code ignored;
    if (!Datapath::exists(paths) && !std::filesystem::exists(paths.state_dir, ignored))
        return;
    const auto lock = lock_out_plugin(paths);
    Failures failures;
    failures.attempt([&] { note_given_up(paths.state_dir, bound_attachments(paths)); });
    failures.attempt([&] { Datapath::remove(paths); });
    forget_conflicts(paths.state_dir);
    forget_refusals(paths.state_dir);
    forget_dead_agents(paths.state_dir);
    if (lock)
        lock->remove_files(paths.state_dir);  // last
    failures.raise("remove our state");
}

/// What stays, on purpose.
void name_remains(const Config& config, std::ostream& out)
{
    std::error_code ignored;
    if (has_given_up(config.paths.state_dir))
        out << config.paths.state_dir.string() << ": a note of the pods that go on without their node ports, until the "
            << "next boot\n";
    if (std::filesystem::exists(config.log.file, ignored))
        out << config.log.file.string() << ": the log stays\n";
}

void remove_plugin(const UninstallOptions& options, const Environment& environment)
{
    const auto binary = installed_binary(options.cni_bin_dir);
    const auto runtime = ask_runtime(options, environment.err);
    if (runtime && tears_down_by_cache(runtime->name)) {
        environment.out << binary.string() << ": stays, as " << runtime->name << " calls it for every pod that was "
                        << "started with it; remove it when the node was drained\n";
        return;
    }
    environment.out << binary.string() << (remove_binary(options.cni_bin_dir) ? ": removed\n" : ": wasn't there\n");
}

void uninstall(const UninstallOptions& options, const Environment& environment)
{
    const Config config = config_to_clear(options, environment.err);
    const Paths& paths = config.paths;
    if (find_agents(paths.state_dir).any)
        environment.err
            << "sallyport: an agent runs on this node, and puts the program and our entry back: end it (its "
            << "DaemonSet), then run this again\n";
    Failures failures;
    failures.attempt([&] { name_losers(paths, environment.err); });
    bool left = false;
    failures.attempt([&] {
        ChainKeeper(options.cni_conf_dir, ChainMethod::conflist).leave();
        environment.out << options.cni_conf_dir.string() << ": no entry of ours\n";
        left = true;
    });
    if (left)
        failures.attempt([&] { remove_plugin(options, environment); });
    else
        environment.err << "sallyport: " << installed_binary(options.cni_bin_dir).string()
                        << " stays: while a network names it, no pod could start without it\n";
    failures.attempt([&] {
        remove_state(paths);
        environment.out << (paths.bpffs / "sallyport").string() << ": nothing of ours\n";
        name_remains(config, environment.out);
    });
    failures.raise("uninstall");
}

/// SIGTERM and SIGINT, held back from now on: they come when the work is done.
sigset_t hold_signals()
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

void uninstall_and_stay(const UninstallOptions& options, const Environment& environment)
{
    const sigset_t signals = hold_signals();
    uninstall(options, environment);
    environment.out << "done; waiting for SIGTERM\n" << std::flush;
    int signal = 0;
    sigwait(&signals, &signal);
}

}  // namespace

void add_install_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("install", install_description)->footer(install_sections);
    const auto options = std::make_shared<NodeOptions>();
    add_node_options(*command, *options);
    command->callback([options, &environment] { install(*options, environment); });
}

void add_uninstall_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("uninstall", uninstall_description)->footer(uninstall_sections);
    const auto options = std::make_shared<UninstallOptions>();
    add_node_options(*command, *options);
    command->add_flag("--stay", options->stay, "afterwards wait for SIGTERM: for a DaemonSet, whose pods must not end");
    command->callback([options, &environment] {
        options->stay ? uninstall_and_stay(*options, environment) : uninstall(*options, environment);
    });
}

}  // namespace sallyport
