// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The runtime's configuration, our binary, and our own configuration.
#include "findings.hpp"

#include "sallyport/chain/conflist.hpp"
#include "sallyport/chain/method.hpp"
#include "sallyport/cni/json.hpp"
#include "sallyport/cni/runtime_config.hpp"
#include "sallyport/doctor.hpp"
#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sallyport {

namespace {

constexpr const char* how_to_install = "run `sallyport install` on the node, or the agent's DaemonSet";

void check_capability(const std::string& where, const std::string& entry, Findings& findings)
{
    if (asks_for(entry, annotations_capability))
        findings.fine("annotations", "the runtime is asked for pods' annotations");
    else if (asks_for(entry, port_mappings_capability))
        findings.note("annotations", "sallyport's entry in " + where +
                                         " asks for port mappings alone: what container tools publish is served, and "
                                         "no pod's annotations");
    else
        findings.failure("annotations",
                         "sallyport's entry in " + where + " doesn't ask for annotations: nothing is ever exposed",
                         "add `\"capabilities\": {\"" + std::string(annotations_capability) + "\": true}` to it");
}

void check_inline_entry(const InspectedList& active, Findings& findings)
{
    const std::string file = active.file;
    check_capability(file, active.entries[0], findings);
    if (active.types[0] == our_type)
        findings.failure("order", "sallyport is the first plugin in " + file + ", before the primary one",
                         "move its entry behind the primary plugin's: it needs that one's result");
    if (active.entries.size() > 1)
        findings.failure("order", "sallyport stands " + std::to_string(active.entries.size()) + " times in " + file,
                         "leave one entry");
}

void check_drop_ins(const ChainFacts& chain, const RuntimeFacts& runtime, Findings& findings)
{
    for (const InspectedList& drop_in : chain.drop_ins) {
        if (!drop_in.problem.empty()) {
            findings.failure("drop-in",
                             drop_in.file.string() + ": " + drop_in.problem +
                                 "; one bad file there breaks the whole network",
                             "correct or remove it now");
            continue;
        }
        check_capability(drop_in.file, drop_in.entries[0], findings);
        if (!chain.active->entries.empty())
            findings.failure("drop-in",
                             "sallyport stands in " + chain.active->file.string() + " and in " + drop_in.file.string() +
                                 ": it would be called twice",
                             "remove one of them");
        else if (chain.active->ignores_drop_ins)
            findings.failure("drop-in",
                             chain.active->file.string() + " sets loadOnlyInlinedPlugins: " + drop_in.file.string() +
                                 " isn't read",
                             "take that key out, or run `sallyport install --chain conflist`");
        else if (method_for(runtime.name, runtime.version) == ChainMethod::drop_in)
            findings.fine("drop-in", "sallyport comes from a drop-in, which " + runtime.name + " reads");
        else if (objection_to(ChainMethod::drop_in, runtime.name, runtime.version)
                     .empty())  // else check_runtime() says it
            findings.note("drop-in", "sallyport comes from a drop-in, which containerd reads from 2.1 on",
                          "on an older runtime, and on CRI-O, run `sallyport install --chain conflist`");
    }
}

/// Where the entry would have to stand in a list that Cilium writes itself, it doesn't stay as long as Cilium guards
/// that. Whether it does, its Helm values say, and nothing on the node.
std::string advice_to_install(const ChainFacts& chain, const RuntimeFacts& runtime)
{
    const auto& types = chain.active->types;
    const bool of_cilium = !types.empty() && types[0] == "cilium-cni";
    if (!of_cilium || method_for(runtime.name, runtime.version) == ChainMethod::drop_in)
        return how_to_install;
    return "set cni.exclusive=false in Cilium's Helm values first: with true, its default, Cilium takes out at once "
           "what others put into its list (or give it a list of yours by cni.configMap, conf/README.md); then " +
           std::string(how_to_install);
}

void check_presence(const ChainFacts& chain, const RuntimeFacts& runtime, Findings& findings)
{
    const std::string install = advice_to_install(chain, runtime);
    const bool there = !chain.active->entries.empty() ||
                       std::any_of(chain.drop_ins.begin(), chain.drop_ins.end(),
                                   [](const InspectedList& drop_in) { return !drop_in.entries.empty(); });
    if (!there && !chain.moved.empty())
        findings.failure("present", "Cilium has moved sallyport's list away: " + chain.moved[0].string(),
                         "set cni.exclusive=false in Cilium's Helm values, or keep to the drop-in or cni.configMap "
                         "(conf/README.md); then " +
                             std::string(how_to_install));
    else if (!there && !chain.shadowed.empty())
        findings.failure("present",
                         "sallyport stands only in " + chain.shadowed[0].file.string() + ", and the runtime uses " +
                             chain.active->file.string(),
                         install);
    else if (!there)
        findings.failure("present",
                         "sallyport isn't in the active list " + chain.active->file.string() +
                             ": new gateway pods get no node port",
                         install);
    else if (!chain.moved.empty())
        findings.warning("exclusive", "Cilium has moved a list with sallyport away: " + chain.moved[0].string(),
                         "remove it, if nothing needs it; with cni.exclusive=true Cilium does so to every list but its "
                         "own");
}

bool is_multus_alone(const InspectedList& list)
{
    return !list.problem.empty() && list.types.size() == 1 && is_multus(list.types[0]);
}

void check_multus_alone(const ChainFacts& chain, Findings& findings)
{
    std::vector<std::string> called;  // by Multus, with us among their plugins
    for (const InspectedList& list : chain.shadowed)
        called.push_back(list.file);
    findings.failure("active",
                     "the runtime uses " + chain.active->file.string() +
                         ", Multus' own configuration and no list: Multus passes annotations on to no plugin that it "
                         "calls" +
                         (called.empty() ? "" : ", so the entry in " + joined(called) + " serves hostPorts at most"),
                     std::string(list_for_multus) + ", and then " + how_to_install);
}

/// Ours behind Multus, and again where Multus itself calls it.
void check_called_twice(const ChainFacts& chain, Findings& findings)
{
    if (!is_multus(chain.active->types[0]) || chain.active->entries.empty())
        return;
    for (const InspectedList& list : chain.shadowed)
        findings.warning("multus",
                         "sallyport stands behind Multus, and in " + list.file.string() +
                             ", which Multus calls if it is its default network: a pod's ADD would reach it twice",
                         "take the entry out of " + list.file.string());
}

}  // namespace

InspectedList inspect_list(const std::filesystem::path& file, const std::string& text, bool drop_in)
{
    InspectedList inspected;
    inspected.file = file;
    try {
        JsonValue::parse(text, JsonValue::Duplicates::last_wins);  // throws with the place where it is broken
        if (!drop_in)
            for (const std::string& entry : find_entries(text))  // as libcni hands it on: of two equal keys the last
                inspected.entries.push_back(nlohmann::ordered_json::parse(entry).dump());
        else if (drop_in_type(text) == our_type)
            inspected.entries.push_back(text);

        NetworkFile read = read_network_file(file.filename().string(), text);
        inspected.types = std::move(read.plugins);
        if (drop_in)
            return inspected;
        inspected.network = std::move(read.network);
        inspected.cni_version = std::move(read.versions[0]);
        inspected.ignores_drop_ins = !read.reads_drop_ins;
        if (read.single || inspected.types.empty())
            inspected.problem = "it is one plugin's configuration and no list, so nothing can be chained in it";
    } catch (const Error& error) {
        inspected.problem = error.what();
    }
    return inspected;
}

std::vector<Finding> check_chain(const ChainFacts& chain, const RuntimeFacts& runtime)
{
    Findings findings("chain");
    const std::string directory = chain.directory;
    if (!chain.problem.empty()) {
        findings.failure("active", chain.problem, "name the runtime's directory with --cni-conf-dir");
        return findings.take();
    }
    if (!chain.exists || !chain.active) {
        findings.failure(
            "active", chain.exists ? "no network is configured in " + directory : "there is no directory " + directory,
            "install the primary plugin first (Cilium writes its list when its agent starts), or name the "
            "runtime's directory with --cni-conf-dir");
        return findings.take();
    }
    const InspectedList& active = *chain.active;
    if (is_multus_alone(active)) {
        check_multus_alone(chain, findings);
        return findings.take();
    }
    if (!active.problem.empty()) {
        findings.failure("active", active.file.string() + ": " + active.problem,
                         "runtimes use the first file by name: correct or remove it");
        return findings.take();
    }
    findings.fine("active", "the runtime uses " + active.file.string() + ": " + joined(active.types));
    if (!active.cni_version.empty() &&
        std::find(served_versions.begin(), served_versions.end(), active.cni_version) == served_versions.end())
        findings.failure("version",
                         "the list's cniVersion is " + active.cni_version + ", which sallyport doesn't speak",
                         "use one of " + listed(served_versions));
    if (!active.entries.empty())
        check_inline_entry(active, findings);
    check_drop_ins(chain, runtime, findings);
    check_presence(chain, runtime, findings);
    check_called_twice(chain, findings);
    return findings.take();
}

std::vector<Finding> check_binary(const BinaryFacts& binary)
{
    Findings findings("chain");
    const std::string file = binary.file;
    if (!binary.exists)
        findings.failure("binary",
                         file + " isn't there: the runtime can't call sallyport, and fails every pod whose "
                                "list names it",
                         "run `sallyport install`, or copy it there: `install -m 0755 sallyport " + file + "`");
    else if (binary.noexec)
        findings.failure("binary", file + " is on a file system that is mounted noexec",
                         "remount it with exec, or use another directory (--cni-bin-dir, and the runtime's bin_dirs)");
    else if (!binary.executable)
        findings.failure("binary", file + " isn't executable", "`chmod 0755 " + file + "`");
    else if (!binary.same_as_this)
        findings.warning("binary", file + " is another build than this one",
                         "compare `" + file + " version` with `sallyport version`, and run `sallyport install`");
    else
        findings.fine("binary", file + " is this build");
    return findings.take();
}

bool asks_for(const std::string& entry, std::string_view capability)
{
    try {
        const auto capabilities = JsonValue::parse(entry, JsonValue::Duplicates::last_wins).find_set("capabilities");
        const auto wanted = capabilities ? capabilities->find(capability) : std::nullopt;
        return wanted && wanted->boolean();
    } catch (const Error&) {
        return false;
    }
}

std::vector<Finding> check_config(const ConfigFacts& facts)
{
    Findings findings("chain");
    if (!facts.problem.empty())
        findings.failure("config", "sallyport's configuration in " + facts.source + " is refused: " + facts.problem,
                         "correct it there, or in the ConfigMap or file that it comes from");
    else if (facts.source.empty())
        findings.note("config", "no configuration found; defaults are assumed below");
    else if (facts.mappings_alone)
        findings.fine("gateways", "port mappings need nobody's leave: `gateways` is for pods' annotations");
    else if (facts.config.gateways.namespaces.empty())
        findings.warning("gateways", "gateways.namespaces is empty: no pod may expose a port",
                         "name the gateways' namespaces in " + facts.source);
    else
        findings.fine("gateways",
                      "pods of namespace " + joined(facts.config.gateways.namespaces) + " may expose ports");
    return findings.take();
}

}  // namespace sallyport
