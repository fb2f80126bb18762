// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
#include "commands.hpp"
#include "view.hpp"

#include "sallyport/cli/flow_view.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

namespace sallyport {

namespace {

constexpr std::size_t limit_on_terminal = 100;
constexpr std::size_t rows_at_once = 512;  ///< of a list without end, so that it needs no more memory than a short one

constexpr const char* flows_description =
    R"(live translations: client, node port, pod

Lists the connections and UDP exchanges that go through node ports and
remapped ports of this node now. With a limit they are the ones that were last
seen, the latest first; without, they come in no order, as they are read,
however many there are.)";

constexpr const char* flows_sections =
    R"(COLUMNS
  CLIENT     the client's own address and port
  NODE PORT  where it sent its packets: a port of the node, or of the pod where
             it is remapped
  POD        the pod that answers it
  BACKEND    that pod's address and container port
  STATE      new: the handshake isn't completed, or no datagram answered;
             established; closing: one side has closed
  IDLE       since its last packet
  SHOWN AS   the client port that the pod sees, where it is another one: two
             connections of one client port would be the same to the pod

JSON
  An array with one object a line: client, clientPort, shownPort, scope ("node",
  or "pod" where a pod remaps its port), address, port, protocol, namespace,
  pod, containerID, podAddress, containerPort, tier, state, idleMs. Without
  --limit it has all of them, also on a terminal.

EXIT STATUS
  0  shown, also where there is none
  1  this node's state can't be read; stderr says why
  2  wrong arguments

EXAMPLES
  sallyport flows                          the latest ones
  sallyport flows --port 443/udp           of HTTP/3 clients
  sallyport flows --pod apisix/apisix-1    who still uses a pod that drains

  Clients by connections:
  sallyport flows --json | jq -r '.[].client' | sort | uniq -c | sort -rn | head

FILES
  /sys/fs/bpf/sallyport/maps  the tables flows_*

SEE ALSO
  sallyport status, sallyport trace)";

struct FlowOptions : ViewOptions
{
    FlowFilter filter;
    std::optional<std::size_t> limit;  ///< 0: none
};

/// What there is to list, and the names for it.
struct Source
{
    const FlowFilter& filter;
    const Datapath* datapath;
    PodNames pods;
    Instant now = std::chrono::steady_clock::now();

    template <typename Visit>
    void for_each(const Visit& visit) const
    {
        if (datapath)
            datapath->for_each_flow([&](const Flow& flow) {
                if (filter.lets_through(flow, pods))
                    visit(flow);
            });
    }
};

/// The latest `limit` ones; returns how many more there are.
template <typename Visit>
std::size_t visit_latest(const Source& source, std::size_t limit, const Visit& visit)
{
    RecentFlows recent(limit);
    source.for_each([&](const Flow& flow) { recent.add(flow); });
    const std::size_t more = recent.left_out();
    for (const Flow& flow : recent.take())
        visit(flow);
    return more;
}

template <typename Visit>
std::size_t visit_flows(const Source& source, std::size_t limit, const Visit& visit)
{
    if (limit > 0)
        return visit_latest(source, limit, visit);
    source.for_each(visit);
    return 0;
}

void print_json(const Source& source, std::size_t limit, std::ostream& out)
{
    const char* separator = "[\n  ";
    visit_flows(source, limit, [&](const Flow& flow) {
        out << separator << to_json(flow, source.pods, source.now);
        separator = ",\n  ";
    });
    out << (separator[0] == '[' ? "[" : "\n") << "]\n";
}

void print_table(const Source& source, std::size_t limit, const Screen& screen, std::ostream& out)
{
    FlowTable table(source.pods, source.now);
    std::size_t shown = 0;
    const std::size_t more = visit_flows(source, limit, [&](const Flow& flow) {
        table.add(flow);
        shown++;
        if (table.rows() == rows_at_once)
            out << table.render(screen);
    });
    if (shown == 0) {
        out << "No live flow" << (source.filter.port || !source.filter.pod.empty() ? " of these" : "") << ".\n";
        return;
    }
    out << table.render(screen);
    if (more > 0)
        out << screen.paint("and " + std::to_string(more) + " more; `--limit 0` shows all", Tone::dim) << '\n';
}

void print_flows(const FlowOptions& options, const Environment& environment)
{
    const auto datapath = find_datapath(options.bpffs);
    const Source source{options.filter, datapath ? &*datapath : nullptr,
                        datapath ? names_of(datapath->bindings().pods()) : PodNames{}};
    const std::size_t limit = options.limit.value_or(environment.terminal && !options.json ? limit_on_terminal : 0);
    if (options.json)
        print_json(source, limit, environment.out);
    else
        print_table(source, limit, screen_of(environment, options), environment.out);
}

}  // namespace

void add_flows_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("flows", flows_description)->footer(flows_sections);
    const auto options = std::make_shared<FlowOptions>();
    command
        ->add_option_function<std::string>(
            "--port", [options](const std::string& text) { options->filter.port = parse_port_filter(text); },
            "only flows to this port of the node, or of a pod that remaps it")
        ->check([](const std::string& text) {
            return parse_port_filter(text) ? "" : "\"" + text + "\" is no port: write 80, 80/tcp or 443/udp";
        })
        ->option_text("N[/PROTO]");
    command->add_option("--pod", options->filter.pod, "only flows to this pod")->option_text("[NAMESPACE/]NAME");
    command
        ->add_option("--limit", options->limit,
                     "at most so many, those seen last; 0 for all (default: 100 in a terminal's table, else all)")
        ->check(whole_number)
        ->option_text("N");
    add_view_options(*command, *options);
    command->callback([options, &environment] { print_flows(*options, environment); });
}

}  // namespace sallyport
