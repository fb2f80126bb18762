// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "view.hpp"

#include "sallyport/cli/doctor_view.hpp"
#include "sallyport/doctor.hpp"

#include <memory>
#include <ostream>

namespace sallyport {

namespace {

constexpr const char* doctor_description =
    R"(checks this node, and says what to do

Looks at everything that sallyport needs on a node and at what is known to get
in its way, and names for each finding what to do about it. Changes nothing.
The configuration that it compares with is sallyport's entry in the active
network, else the file of --config.)";

constexpr const char* doctor_sections =
    R"(CHECKS
  node        kernel, BPF file system, cgroup v2, the lock, forwarding; the
              container runtime, whether it hands annotations on and reads the
              list's version and drop-ins; the agent, whether it runs and what
              it says of itself
  chain       which list the runtime uses, whether sallyport is in it, behind
              the primary plugin or Multus, valid, and asks for annotations;
              drop-ins; lists that Cilium has moved away (cni.exclusive); who
              may expose ports; the binary
  network     outside devices, and XDP programs that come before sallyport;
              addresses that node ports aren't answered on, that look like a
              VIP of others, or that a prefix in `addresses` catches; what the
              packet filter (nftables, iptables) does with packets to pods,
              and that its INPUT doesn't guard node ports
  datapath    whose tables and programs are pinned, whether they run first on
              every outside device, on which addresses node ports are answered,
              pods that vanished
  node ports  who listens; ports in Kubernetes' NodePort range, and above;
              what Cilium, or rules of the packet filter, serve at the same
              place; ICMPv6 under policy; packets held and dropped

  Not seen from here: Cilium's host firewall.

MARKS
  ok       in order
  note     worth knowing
  WARN     works, but not in every case, or not for long
  FAIL     doesn't work

  On a terminal that reads UTF-8 they are ticks and crosses.

JSON
  One object: healthy, failures, warnings, and findings with topic, check, level
  ("ok", "note", "warning", "failure"), what, advice. The names of checks don't
  change.

EXIT STATUS
  0  no failure; there may be warnings
  1  at least one failure, among them not to be root
  2  wrong arguments

EXAMPLES
  sallyport doctor
  sallyport doctor --json |
    jq -r '.findings[] | select(.level == "failure") | .advice'

  On k3s:
  sallyport doctor --cni-conf-dir /var/lib/rancher/k3s/agent/etc/cni/net.d \
                   --cni-bin-dir /var/lib/rancher/k3s/data/cni

FILES
  /etc/cni/net.d              the runtime's configuration
  /opt/cni/bin/sallyport      the program that the runtime calls
  /etc/sallyport/config.json  the agent's configuration of sallyport
  /run/sallyport/agents       by it an agent is found, and where it serves HTTP
  /sys/fs/bpf/sallyport       the state: pinned maps, programs and links

SEE ALSO
  sallyport status, sallyport trace, sallyport install)";

/// Throws CLI::RuntimeError, which is an exit status, where anything fails.
void examine_node(const ViewOptions& view, const DoctorOptions& options, const Environment& environment)
{
    const std::vector<Finding> findings = examine(gather_facts(options));
    if (view.json)
        environment.out << to_json(findings) << '\n';
    else
        environment.out << render_findings(findings, screen_of(environment, view));
    if (count(findings, Level::failure) > 0)
        throw CLI::RuntimeError(1);
}

}  // namespace

void add_doctor_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("doctor", doctor_description)->footer(doctor_sections);
    const auto view = std::make_shared<ViewOptions>();
    const auto options = std::make_shared<DoctorOptions>();
    command->add_option("--config", options->config, "our configuration, where no network has it")
        ->option_text("FILE")
        ->capture_default_str();
    command->add_option("--cni-conf-dir", options->cni_conf_dir, "where the runtime reads networks")
        ->option_text("DIR")
        ->capture_default_str();
    command->add_option("--cni-bin-dir", options->cni_bin_dir, "where the runtime looks for plugins")
        ->option_text("DIR")
        ->capture_default_str();
    command->add_option("--cri-socket", options->cri_socket, "where the container runtime answers; or auto, or off")
        ->option_text("PATH")
        ->capture_default_str();
    add_view_options(*command, *view);
    const CLI::Option* const bpffs = command->get_option("--bpffs");
    command->callback([view, options, bpffs, &environment] {
        if (bpffs->count() > 0)  // else what the configuration says
            options->bpffs = view->bpffs;
        examine_node(*view, *options, environment);
    });
}

}  // namespace sallyport
