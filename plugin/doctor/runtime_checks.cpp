// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the container runtime is, and whether it reads what the chain has for it.
#include "findings.hpp"

#include "sallyport/chain/method.hpp"

#include <algorithm>
#include <map>

namespace sallyport {

namespace {

using Release = std::pair<int, int>;

struct Needed
{
    Release annotations;  ///< it hands pods' annotations to plugins from then on
    Release version_1_1;  ///< it takes results of CNI 1.1.0
};

/// containerd: libcni 1.2 and with it CNI 1.1.0 came with 2.0. Before, the network is reported ready, and every pod
/// fails.
const std::map<std::string, Needed> known{{"containerd", {{1, 5}, {2, 0}}}, {"cri-o", {{1, 29}, {1, 31}}}};

void check_version(const RuntimeFacts& runtime, const ChainFacts& chain, Findings& findings)
{
    const std::string who = runtime.name + " " + runtime.version;
    const auto needed = known.find(runtime.name);
    const Release release = release_of(runtime.version);
    if (needed == known.end() || release == Release{0, 0}) {
        findings.note("runtime", who + " at " + runtime.socket.string() + ", which Sallyport doesn't know");
        return;
    }
    if (release < needed->second.annotations)
        findings.failure("runtime", who + " doesn't hand pods' annotations to plugins",
                         "upgrade it: containerd 1.5, CRI-O 1.29 or later");
    else if (chain.active && chain.active->cni_version == "1.1.0" && release < needed->second.version_1_1)
        findings.failure("runtime",
                         chain.active->file.string() + " has cniVersion 1.1.0, which " + who +
                             " takes for a network that is ready, and then fails every pod",
                         "set its cniVersion to 1.0.0 or lower");
    else
        findings.fine("runtime", who + " at " + runtime.socket.string());
}

void check_drop_ins(const RuntimeFacts& runtime, const ChainFacts& chain, Findings& findings)
{
    const auto ours = std::find_if(chain.drop_ins.begin(), chain.drop_ins.end(),
                                   [](const InspectedList& drop_in) { return !drop_in.entries.empty(); });
    if (ours == chain.drop_ins.end())
        return;
    if (const std::string objection = objection_to(ChainMethod::drop_in, runtime.name, runtime.version);
        !objection.empty())
        findings.failure("runtime-drop-ins", ours->file.string() + ": " + objection,
                         "run `sallyport install` or the agent with --chain auto");
}

}  // namespace

std::vector<Finding> check_runtime(const RuntimeFacts& runtime, const ChainFacts& chain)
{
    Findings findings("node");
    if (runtime.socket.empty()) {
        findings.note("runtime", "no container runtime's socket in the usual places");
    } else if (!runtime.problem.empty()) {
        findings.warning("runtime", runtime.problem, "give the socket with --cri-socket, if it is another one");
    } else {
        check_version(runtime, chain, findings);
        check_drop_ins(runtime, chain, findings);
    }
    return findings.take();
}

}  // namespace sallyport
