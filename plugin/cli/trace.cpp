// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
#include "commands.hpp"
#include "interruption.hpp"
#include "view.hpp"

#include "sallyport/cli/event_view.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

namespace sallyport {

namespace {

constexpr std::chrono::milliseconds look_interval{100};

constexpr const char* trace_description =
    R"(follows events: bind, unbind, handover, hold, drop

Prints the latest events that the node has kept, 1,024 at most, and then each
new one as it comes, until Ctrl-C. Where there is no state yet, it waits for
some; where the last gateway pod goes and another comes later, it goes on with
that one's events.)";

constexpr const char* trace_sections =
    R"(EVENTS
    12:03:04.123  handover  80/tcp    apisix/apisix-1 -> apisix/apisix-2,
                                      which listens

  bind      a pod took a port of the node, or remapped one of its own; with its
            backend
  unbind    it left it
  handover  a connection went to another pod than the one before; with what
            shows that this one serves; not with share "spread"
  hold      a new connection waits, as no pod serves yet; with the client
  drop      a packet was dropped; with the client and the reason
  word      Kubernetes says something else of a pod than before: that it is
            ready, not ready, or ending

  A port without an address is one of any address, IPv4's or IPv6's. Events that
  clients cause are limited per second, so that a flood leaves the others in
  place. Where events were overwritten before they were read, a line says how
  many.

JSON
  One object a line: number (from 1; anew where the state was), time, kind,
  scope ("node", or "pod" for a remapped port), address, port, protocol, and by
  the kind pod, previousPod, witness ("socket", "answer", "none"), backend,
  client, reason; a word has no port, and a pod and the word. {"kind":
  "missed", "events": N} stands for overwritten ones.

EXIT STATUS
  0  ended by Ctrl-C, SIGTERM, or its reader; with --no-follow, all printed
  1  this node's state can't be read; stderr says why
  2  wrong arguments

EXAMPLES
  sallyport trace                          what happened, and what happens
  sallyport trace --no-follow | tail       what happened last
  sallyport trace --json | jq -c 'select(.kind == "drop")'
  sallyport trace --json --since 4711      go on where a program stopped reading

FILES
  /sys/fs/bpf/sallyport/maps  the tables events and event_head

SEE ALSO
  sallyport status, sallyport flows)";

struct TraceOptions : ViewOptions
{
    std::uint64_t since = 0;
    bool follow = true;
};

class Tracer
{
public:
    Tracer(const TraceOptions& options, const Environment& environment)
        : options_(options),
          environment_(environment),
          follower_(options.since)
    {}

    /// Prints what is new; `final`: nobody will look again.
    void look(bool final)
    {
        // Another table than before shows at the first look, and what is in it at the second.
        const auto anew = look_at_state(options_.bpffs, [&](const Datapath& datapath) {
            return print(follower_.take(datapath.events_after(follower_.ask_after()), final), datapath);
        });
        if (anew.value_or(false))
            look(final);
    }

private:
    /// Returns whether this is another table than before.
    bool print(const EventFollower::News& news, const Datapath& datapath)
    {
        if (news.anew)
            names_.forget();
        if (!news.events.empty()) {
            learn_pods(datapath);
            print(news);
        }
        return news.anew;
    }

    /// That they can't be read now is no reason to keep back what has happened.
    void learn_pods(const Datapath& datapath)
    {
        try {
            for (const BoundPod& pod : datapath.bindings().pods())
                names_.learn(pod.generation, pod.pod());
        } catch (const Error&) {
        }
    }

    void print(const EventFollower::News& news)
    {
        std::ostream& out = environment_.out;
        const Screen screen = screen_of(environment_, options_);
        if (news.missed > 0)
            out << (options_.json
                        ? json_of_missed(news.missed)
                        : screen.paint(std::to_string(news.missed) + " events were overwritten before they were read",
                                       Tone::warning))
                << '\n';
        // Of these two clocks only the wall's jumps, so the offset is taken anew.
        const auto now = std::chrono::steady_clock::now();
        const WallTime wall_now = std::chrono::system_clock::now();
        for (const Event& event : news.events)
            lines_.make_room(event);
        for (const Event& event : news.events) {
            names_.learn(event);
            const WallTime when = wall_now - std::chrono::duration_cast<WallTime::duration>(now - event.time);
            if (options_.json)
                out << to_json(event, when, names_) << std::endl;
            else
                out << new_day(when, screen) << lines_.render(event, when, names_, screen);
        }
        out << std::flush;
    }

    /// A line with the date before the first event of a day that isn't today's.
    std::string new_day(WallTime when, const Screen& screen)
    {
        const std::string day = day_of(when);
        return std::exchange(day_, day) == day ? "" : screen.paint(day, Tone::dim) + '\n';
    }

    const TraceOptions& options_;
    const Environment& environment_;
    EventFollower follower_;
    EventNames names_;
    EventLines lines_;
    std::string day_ = day_of(std::chrono::system_clock::now());
};

void trace(const TraceOptions& options, const Environment& environment)
{
    Tracer tracer(options, environment);
    if (!options.follow) {
        tracer.look(true);
        return;
    }
    const Interruption interruption;
    do
        tracer.look(false);
    while (!interruption.comes_within(look_interval) && environment.out);
    environment.out.clear();  // its reader may have had enough
}

}  // namespace

void add_trace_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("trace", trace_description)->footer(trace_sections);
    const auto options = std::make_shared<TraceOptions>();
    command->add_option("--since", options->since, "begin after the event of that number, as JSON names it")
        ->check(whole_number)
        ->option_text("N");
    command->add_flag_callback("--no-follow", [options] { options->follow = false; }, "print what is kept, and end");
    add_view_options(*command, *options);
    command->callback([options, &environment] { trace(*options, environment); });
}

}  // namespace sallyport
