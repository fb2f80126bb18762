// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
#include "commands.hpp"
#include "interruption.hpp"
#include "view.hpp"

#include "sallyport/cli/status_view.hpp"
#include "sallyport/report.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace sallyport {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds rate_interval{500};
constexpr double default_refresh = 2;

constexpr const char* status_description =
    R"(node ports, their pods, who takes new connections and why

Shows this node as its datapath sees it at this moment. The first table has a
line for each pod of each node port; the line of a port's first pod has the
port's own figures too. A port of any address (`80/tcp`) stands for IPv4 and
IPv6, where the same is to be said of both.

Takes half a second, as rates are the difference of two looks.)";

constexpr const char* status_sections =
    R"(COLUMNS
  NODE PORT   the port of the node, with its address where it isn't any
  POD         a pod behind it, the youngest first
  BACKEND     the pod's address and container port
  LISTENS     for how long its socket was seen to listen, or "no"
  TAKES NEW   does it take new connections now?
  WHY         the reason for that. On a narrow terminal it stands below the line
  FLOWS       live connections, and UDP exchanges, to this pod through this port
  NEW/S       connections accepted per second
  IN, OUT     traffic from and to clients, from the IP header on
  TOTAL       connections since the port's first pod came
  SHARE       which of several pods takes a new connection: sallyport.dev/share,
              with `settle` and `hold` where they are set

  A second table has the ports that pods remap to other ports of their own.
  Below stand the outside devices, the addresses that node ports are answered on
  (and those that a `!` in `addresses` takes away), handovers (connections that
  went to another pod than the one before), packets that were held for want of a
  listener, and those that were dropped. A narrow terminal leaves out the less
  important columns; a pipe gets all of them.

JSON
  One object: nodePorts, remaps, devices, addresses, excludedAddresses, flows,
  drops; times in milliseconds. With --watch one object a line.

EXIT STATUS
  0  shown, also where no pod holds a port
  1  this node's state can't be read; stderr says why
  2  wrong arguments

EXAMPLES
  sallyport status            this node, now
  sallyport status --watch    the same, refreshed every 2 seconds until Ctrl-C
  sallyport status --watch 0.5 --json | jq '.nodePorts[].rates'

  Ports that refuse new connections:
  sallyport status --json |
    jq '.nodePorts[] | select(any(.pods[]; .takesNew) | not) | .port'

FILES
  /sys/fs/bpf/sallyport  the state: pinned maps, programs and links

SEE ALSO
  sallyport flows, sallyport trace, sallyport doctor)";

struct StatusOptions : ViewOptions
{
    double refresh = 0;  ///< seconds; 0: not said
};

NodeReport report_over(const Datapath& datapath, milliseconds interval)
{
    const TrafficSample before = take_sample(datapath);
    std::this_thread::sleep_for(interval);
    return report_node(datapath, before);
}

void print_status(const StatusOptions& options, const Environment& environment)
{
    const NodeReport report = look_at_state(options.bpffs, [](const Datapath& datapath) {
                                  return report_over(datapath, rate_interval);
                              }).value_or(NodeReport{});
    if (options.json)
        environment.out << to_json(report, true) << '\n';
    else
        environment.out << render_status(report, screen_of(environment, options));
}

std::string time_of_day()
{
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%H:%M:%S", &local)};
}

/// The terminal's other screen, which leaves no trace on the first one; without cursor, and cutting what is too wide.
class OtherScreen
{
public:
    explicit OtherScreen(std::ostream& out) : out_(out) { out_ << "\x1b[?1049h\x1b[?25l\x1b[?7l" << std::flush; }
    OtherScreen(const OtherScreen&) = delete;
    OtherScreen& operator=(const OtherScreen&) = delete;
    ~OtherScreen() { out_ << "\x1b[?7h\x1b[?25h\x1b[?1049l" << std::flush; }

    /// Writes over what is there, line by line: a screen that was cleared first would flicker.
    void show(std::string_view text, std::size_t height)
    {
        const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
        const bool fits = height == 0 || lines < height;
        std::string frame = "\x1b[H";
        for (std::size_t line = 0; !text.empty() && (fits || line + 2 < height); line++) {
            const std::size_t end = std::min(text.find('\n'), text.size() - 1);
            frame.append(text.substr(0, end)).append("\x1b[K\n");
            text.remove_prefix(end + 1);
        }
        if (!fits)
            frame += std::to_string(std::count(text.begin(), text.end(), '\n')) + " more lines\x1b[K";
        out_ << frame << "\x1b[J" << std::flush;
    }

private:
    std::ostream& out_;
};

/// Reports one after the other, each with rates since the one before.
class Watch
{
public:
    explicit Watch(std::filesystem::path bpffs) : bpffs_(std::move(bpffs)), before_(look_at_state(bpffs_, take_sample))
    {}

    NodeReport next()
    {
        const auto report =
            look_at_state(bpffs_, [&](const Datapath& datapath) { return report_node(datapath, before_); });
        before_ = report ? std::optional(report->sample) : std::nullopt;
        return report.value_or(NodeReport{});
    }

private:
    std::filesystem::path bpffs_;
    std::optional<TrafficSample> before_;
};

void watch_status(const StatusOptions& options, const Environment& environment)
{
    const auto pause = std::chrono::duration_cast<milliseconds>(
        std::chrono::duration<double>(options.refresh > 0 ? options.refresh : default_refresh));
    const Interruption interruption;
    Watch watch(options.bpffs);
    std::optional<OtherScreen> other_screen;
    if (environment.terminal && !options.json)
        other_screen.emplace(environment.out);

    for (auto wait = std::min(rate_interval, pause); !interruption.comes_within(wait) && environment.out;
         wait = pause) {
        const NodeReport report = watch.next();
        if (options.json) {
            environment.out << to_json(report, false) << std::endl;
            continue;
        }
        const Screen screen = screen_of(environment, options);
        const std::string text =
            screen.paint("sallyport status, " + time_of_day(), Tone::dim) + "\n\n" + render_status(report, screen);
        if (other_screen)
            other_screen->show(text, screen.height);
        else
            environment.out << text << std::endl;
    }
    environment.out.clear();  // its reader may have had enough
}

}  // namespace

void add_status_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("status", status_description)->footer(status_sections);
    const auto options = std::make_shared<StatusOptions>();
    const CLI::Option* const watch =
        command
            ->add_option("--watch", options->refresh,
                         "refresh every so many seconds, until Ctrl-C; 2 where none are said")
            ->expected(0, 1)
            ->check(interval)
            ->option_text("[SECONDS]");
    add_view_options(*command, *options);
    command->callback([options, watch, &environment] {
        if (watch->count() > 0)
            watch_status(*options, environment);
        else
            print_status(*options, environment);
    });
}

}  // namespace sallyport
