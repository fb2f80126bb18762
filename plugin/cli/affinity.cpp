// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
#include "commands.hpp"

#include "sallyport/annotation.hpp"
#include "sallyport/cli/anti_affinity.hpp"

#include <memory>
#include <optional>
#include <ostream>
#include <string>

namespace sallyport {

namespace {

constexpr const char* affinity_description =
    R"(keeps a gateway off nodes where others have its ports

The scheduler doesn't know who has which port of a node: it may put a gateway
where another namespace's has port 80, and there the pod is refused for as
long as it stays. With the labels and the anti-affinity that this prints for
its pod template, the scheduler passes over such nodes. Both gateways need
theirs. Pods of one namespace may share a port, so a rolling update goes on as
before.)";

constexpr const char* affinity_sections =
    R"(OUTPUT
  YAML, to be laid over the Deployment, DaemonSet or StatefulSet: for `kubectl
  patch`, or with --workload as a strategic merge patch of kustomize. In Helm's
  values the two parts usually are podLabels and affinity. Terms of an
  anti-affinity that the workload has already are replaced: add them by hand.

  A port counts on whichever address: two gateways that take port 80 of
  different addresses are kept apart as well.

EXIT STATUS
  0  printed
  1  that isn't what an annotation may say; stderr shows the place
  2  wrong arguments

EXAMPLES
  sallyport affinity --namespace apisix "80:9080, 443:9443" > affinity.yaml
  kubectl -n apisix patch deployment apisix --patch-file affinity.yaml

  sallyport affinity --namespace apisix --workload Deployment/apisix \
    "80:9080, 443:9443, 443:9443/udp" > affinity.yaml
  kustomize edit add patch --path affinity.yaml)";

struct AffinityOptions
{
    std::string expose;
    std::string pod_namespace;
    std::optional<Workload> workload;
};

void print_affinity(const AffinityOptions& options, std::ostream& out)
{
    const Wishes wishes = parse_wishes({{"sallyport.dev/expose", options.expose}}, {});
    out << anti_affinity_patch(wishes.expose, options.pod_namespace, options.workload);
}

}  // namespace

void add_affinity_command(CLI::App& app, const Environment& environment)
{
    CLI::App* const command = app.add_subcommand("affinity", affinity_description)->footer(affinity_sections);
    const auto options = std::make_shared<AffinityOptions>();
    command->add_option("EXPOSE", options->expose, "the value of the pods' annotation sallyport.dev/expose")
        ->required();
    command->add_option("-n,--namespace", options->pod_namespace, "that of the pods")
        ->required()
        ->check([](const std::string& text) {
            return is_namespace_name(text) ? "" : in_quotes(text) + " can't be the name of a namespace";
        })
        ->option_text("NAME");
    command
        ->add_option_function<std::string>(
            "--workload", [options](const std::string& text) { options->workload = parse_workload(text); },
            "whose pods they are; makes the output a patch for kustomize")
        ->check([](const std::string& text) {
            return parse_workload(text) ? ""
                                        : in_quotes(text) + " names no workload; write Deployment/NAME, "
                                                            "DaemonSet/NAME or StatefulSet/NAME";
        })
        ->option_text("KIND/NAME");
    command->callback([options, &environment] { print_affinity(*options, environment.out); });
}

}  // namespace sallyport
