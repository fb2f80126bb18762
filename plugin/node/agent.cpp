// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/agent.hpp"

#include "directory_watch.hpp"
#include "installation.hpp"
#include "loop.hpp"
#include "node_keeper.hpp"
#include "refusal_teller.hpp"
#include "signals.hpp"
#include "word_keeper.hpp"

#include "sallyport/conflicts.hpp"
#include "sallyport/error.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/log.hpp"
#include "sallyport/node/condition.hpp"
#include "sallyport/node/config_file.hpp"
#include "sallyport/node/succession.hpp"
#include "sallyport/node/task.hpp"
#include "sallyport/os/netlink_monitor.hpp"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <memory>

namespace sallyport {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// News are gathered for so long before anything follows them, and looked for no more often.
constexpr milliseconds gather = 100ms;

/// How long probes may see that the agent is about to end, while it still serves them.
constexpr milliseconds farewell = 1s;

constexpr const char* kubernetes = "Kubernetes";

class Agent
{
public:
    explicit Agent(const AgentOptions& options)
        : options_(options),
          installation_(options),
          config_file_(options.config)
    {
        loop_.on_readable(signals_.fd(), 0ms, [this] { take_signals(); });
        loop_.on_readable(network_.fd(), gather, [this] {
            if (network_.drain())
                follow_.soon();
        });
        loop_.on_readable(cgroups_.fd(), gather, [this] {
            if (cgroups_.drain())
                follow_.soon();
        });
        loop_.on_readable(plugin_directory_.fd(), gather, [this] {
            // What can't be copied isn't tried more often for its own leavings
            if (plugin_directory_.drain() && copy_plugin_.problem().empty())
                copy_plugin_.soon();
        });
        loop_.on_readable(config_directory_.fd(), gather, [this] {
            if (config_directory_.drain())
                read_config_.soon();
        });
        condition_.set_note(kubernetes, options.cluster_problem);
        if (!options.cluster)
            return;
        refusals_ = std::make_unique<RefusalTeller>(
            *options.cluster, [this](const std::string& problem) { condition_.set_note("Events", problem); });
        words_ = std::make_unique<WordKeeper>(
            *options.cluster, [this](const std::string& problem) { condition_.set_note(kubernetes, problem); });
    }

    void run()
    {
        log_info("sallyport " + options_.version + " (" + options_.commit + "): the agent begins");
        loop_.run([this] { return turn(); });
        log_info("the agent ends; node ports and the plugin stay as they are");
    }

private:
    Instant turn();
    void run_due_tasks();
    void take_signals();

    void read_config();
    void accept(const Config& before, const Config& next) const;
    void look_for_others();
    void serve();
    void tell_where() const;
    void copy_plugin();
    void keep_entry();
    void adopt_earlier_pods();
    void follow();
    void forget_the_past();

    const AgentOptions& options_;
    Signals signals_;
    Condition condition_;
    Loop loop_;
    Installation installation_;
    ConfigFile config_file_;
    NodeKeeper node_;
    NetlinkMonitor network_;
    DirectoryWatch config_directory_{IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE};
    DirectoryWatch cgroups_{IN_CREATE | IN_DELETE};
    DirectoryWatch plugin_directory_{IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ATTRIB};
    std::optional<Succession> succession_;
    bool in_charge_ = false;
    std::optional<Instant> ends_at_;
    std::filesystem::path served_bpffs_;
    std::unique_ptr<WebServer> web_;           ///< asks condition_, in a thread of its own
    std::unique_ptr<WordKeeper> words_;        ///< the same: writes to it
    std::unique_ptr<RefusalTeller> refusals_;  ///< the same

    Task read_config_{"configuration", {.period = 5s, .gather = gather}, [this] { read_config(); }};

    Task serve_{"HTTP", {.period = 5s}, [this] { serve(); }};
    Task look_for_others_{"other agents", {.period = 1s}, [this] { look_for_others(); }};

    // Each needs a configuration, and to be in charge.
    Task copy_plugin_{"plugin", {.period = 60s, .gather = gather, .share = 0.02}, [this] { copy_plugin(); }};
    Task choose_method_{"container runtime", {.period = 60s}, [this] { installation_.choose_method(); }};
    Task keep_entry_{"CNI chain", {.period = 60s}, [this] { keep_entry(); }};
    Task adopt_{"earlier pods", {.period = 30s, .share = 0.05}, [this] { adopt_earlier_pods(); }};
    Task require_bpffs_{"BPF file system", {.period = 10s}, [this] { Datapath::require_bpffs(config().paths); }};
    Task forget_{"pods that are gone", {.period = 2s, .share = 0.05}, [this] { forget_the_past(); }};
    Task follow_{"this node", {.period = 60s, .gather = gather, .share = 0.05}, [this] { follow(); }};
    Task look_{"programs and devices", {.period = 2s, .share = 0.01}, [this] {
                   if (!node_.is_sound())
                       follow_.soon();
               }};
    Task note_listeners_{"who listens", {.period = 1s, .share = 0.01}, [this] { node_.note_listeners(); }};
    Task count_conflicts_{"conflicts", {.period = 2s}, [this] {
                              condition_.set_conflicts(
                                  read_conflicts(config().paths.state_dir, std::chrono::steady_clock::now()));
                          }};
    Task look_for_rivals_{"node ports that others serve, too", {.period = 5s, .share = 0.01}, [this] {
                              condition_.set_note(look_for_rivals_.name(), node_.served_by_others());
                          }};
    const std::array<Task*, 11> tasks_{&copy_plugin_,    &choose_method_,   &keep_entry_,     &require_bpffs_,
                                       &forget_,         &follow_,          &adopt_,          &look_,
                                       &note_listeners_, &count_conflicts_, &look_for_rivals_};

    const Config& config() const { return *config_file_.config(); }
};

/// Does what is due; returns when the next thing is.
Instant Agent::turn()
{
    condition_.turn();
    if (!ends_at_)
        run_due_tasks();
    else if (*ends_at_ <= std::chrono::steady_clock::now())
        loop_.stop();
    if (ends_at_)
        return *ends_at_;
    Instant next =
        std::min({read_config_.due(), serve_.due(), std::chrono::steady_clock::now() + 1s});  // the heartbeat
    if (in_charge_)
        for (const Task* task : tasks_)
            next = std::min(next, task->due());
    return next;
}

void Agent::run_due_tasks()
{
    const auto run = [this](Task& task) {
        if (task.due() > std::chrono::steady_clock::now())
            return;
        condition_.turn();  // each may take a moment, on a slow node
        task.run();
        condition_.set_problem(task.name(), task.problem());
    };
    run(read_config_);
    run(serve_);
    if (!config_file_.config())
        return;
    run(look_for_others_);
    if (!in_charge_)
        return;
    for (Task* task : tasks_)
        run(*task);
    condition_.begin();
}

void Agent::take_signals()
{
    while (const auto signal = signals_.take()) {
        if (*signal == SIGHUP) {
            read_config_.soon();
            continue;
        }
        if (ends_at_)
            loop_.stop();  // somebody is in a hurry
        log_info("told to end");
        condition_.end();
        ends_at_ = std::chrono::steady_clock::now() + farewell;
    }
}

void Agent::read_config()
{
    // By itself a relative path's directory would be "".
    config_directory_.watch({std::filesystem::absolute(config_file_.path()).parent_path()});
    if (!config_file_.refresh([this](const Config& before, const Config& next) { accept(before, next); }))
        return;
    log_to_stderr(config().log.level);
    log_info(config_file_.path().string() + ": this configuration is in force now");
    node_.use(config());
    if (words_)
        words_->use(config().paths);
    if (refusals_)
        refusals_->use(config().paths);
    const auto& cgroup = config().paths.cgroup;
    cgroups_.watch({cgroup, cgroup / "unified"});
    serve_.soon();
    for (Task* task : tasks_)
        task->soon();
}

/// Where our state is can't change below pods that are bound: their DEL would look for it elsewhere.
void Agent::accept(const Config& before, const Config& next) const
{
    const bool moves = before.paths.bpffs != next.paths.bpffs || before.paths.state_dir != next.paths.state_dir;
    if (moves && Datapath::in_use(before.paths))
        throw Error(Code::invalid_network_config,
                    "/bpffs and /stateDir can't change while gateway pods are bound on this node; drain them first");
}

void Agent::look_for_others()
{
    if (!succession_ || !succession_->stands_in(config().paths.state_dir)) {
        succession_.emplace(Succession::enter(config().paths.state_dir));
        tell_where();
    }
    if (in_charge_ == succession_->in_charge())
        return;
    in_charge_ = !in_charge_;
    if (!in_charge_) {
        loop_.forget(installation_.watch_fd());
        installation_.rest();
        for (const Task* task : tasks_)
            condition_.set_problem(task->name(), "");  // somebody else's now
    }
    condition_.set_note("another agent",
                        in_charge_ ? "" : "another agent has begun on this node: it is in charge, this one looks on");
    for (Task* task : tasks_)
        task->soon();
}

/// Begins without a configuration, to say what is wrong with it.
void Agent::serve()
{
    const Paths paths = config_file_.config() ? config().paths : Paths{};
    if (options_.listen == "off" || (web_ && paths.bpffs == served_bpffs_))
        return;
    web_.reset();
    tell_where();
    web_ = std::make_unique<WebServer>(WebOptions{options_.listen, paths, options_.version, options_.commit},
                                       [this] { return condition_.state(); });
    served_bpffs_ = paths.bpffs;
    tell_where();
    log_info("serving metrics, health and a page on port " + std::to_string(web_->port()));
}

/// For `doctor`, which knows no more of us than the configuration says.
void Agent::tell_where() const
{
    if (!succession_)
        return;
    const std::string host = options_.listen.substr(0, options_.listen.rfind(':'));
    succession_->tell(web_ ? host + ":" + std::to_string(web_->port()) : "");
}

/// While it is away, no pod of the network starts.
void Agent::copy_plugin()
{
    require_own_abi(config().paths);  // else the plugin that made the tables stays until they are gone
    plugin_directory_.watch({options_.cni_bin_dir});
    installation_.copy_plugin();
}

void Agent::keep_entry()
{
    const bool was_in_place = installation_.in_place();
    const auto look_again = [&] {
        if (installation_.watch_fd() >= 0)
            loop_.on_readable(installation_.watch_fd(), 50ms, [this] { keep_entry_.soon(); });
        keep_entry_.by(installation_.next_look());
        condition_.set_note("remark about the CNI chain", installation_.remark());
    };
    try {
        installation_.keep_entry(config_file_.text());
    } catch (...) {
        look_again();
        throw;
    }
    look_again();
    if (!was_in_place)
        adopt_.soon();
}

/// The runtime is asked in a thread of its own: it may take seconds for each pod, above all when a node starts.
void Agent::adopt_earlier_pods()
{
    installation_.adopt_earlier_pods(config());
    condition_.set_note("pods from before our entry was in place", installation_.refusals());
}

void Agent::follow()
{
    const auto before = node_.reattached();
    const auto tell = [&] {
        condition_.add_reattached(node_.reattached() - before);
        condition_.set_note("localAccess and reservePorts", node_.shortfall());
    };
    try {
        node_.follow();
    } catch (...) {
        tell();
        throw;
    }
    tell();
}

void Agent::forget_the_past()
{
    node_.forget_the_past();
    condition_.set_note("pods' namespaces", node_.hidden_pods());
}

}  // namespace

void run_agent(const AgentOptions& options)
{
    log_to_stderr("info");
    Agent agent(options);
    agent.run();
}

}  // namespace sallyport
