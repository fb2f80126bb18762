// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// CHECK. CRI-O makes it right after ADD, and at each of its starts for every pod that runs, with the list as it was
// when the pod was added; a pod that fails it is shown without an address from then on. So that list is only asked
// where our state is, and what the pod wished: what must be there is what the last ADD, or the agent, put in force.
#include "sallyport/commands.hpp"

#include "sallyport/cni/plain_pod.hpp"
#include "sallyport/cni/runtime_config.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"
#include "sallyport/fast_path.hpp"
#include "sallyport/given_up.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/policy.hpp"

#include <algorithm>

namespace sallyport {

namespace {

std::string name_of_pod(const Request& request)
{
    Attachment pod;
    pod.id = request.attachment;
    pod.pod_namespace = request.pod_namespace;
    pod.pod_name = request.pod_name;
    return pod.pod();
}

/// What the pod's wishes come to where everything is allowed: ADD has judged them, by the list of its day. None where
/// they can't be read any more.
std::vector<Exposure> wished(const Request& request, const JsonValue& root)
{
    Config permissive;
    permissive.gateways = {{"*"}, {{1, 65535}}};
    permissive.addresses = {*Prefix::parse("0.0.0.0/0"), *Prefix::parse("::/0")};
    try {
        const auto runtime_config = root.find_set("runtimeConfig");
        const Wishes wishes = parse_wishes(read_pod_annotations(*runtime_config), read_port_mappings(*runtime_config));
        return desired(permissive, wishes, resolve_attachment(request, "", read_prev_result(root)), {});
    } catch (const Error& error) {
        log_debug("CHECK " + name_of_pod(request) + ": " + error.what());
        return {};
    }
}

/// The program of the fast path at the host's end of the pod's device. Throws Error(invalid_network_config) where
/// packets that take it would pass a policy by.
std::vector<std::string> missing_uplink(const Datapath& datapath, const BoundPod& pod)
{
    const std::vector<std::string> ours = datapath.devices();
    std::optional<Device> host_end;
    std::vector<Device> passed;
    for (const Device& device : read_node_network().devices) {
        const bool is_host_end = device.ifindex == pod.uplink;
        if (is_host_end)
            host_end = device;
        if (is_host_end || std::find(ours.begin(), ours.end(), device.name) != ours.end())
            passed.push_back(device);
    }
    refuse_bypass(guarded_by_cilium(passed));
    return host_end ? datapath.missing_uplink(*host_end, pod.id)
                    : std::vector<std::string>{"the host's end of the pod's device"};
}

std::vector<std::string> missing_of(const Datapath& datapath, const BoundPod& pod, const Netns& netns,
                                    const std::vector<Exposure>& wished)
{
    std::vector<std::string> missing = datapath.bindings().missing_of(pod.id);
    const auto note = [&](const std::vector<std::string>& more) {
        missing.insert(missing.end(), more.begin(), more.end());
    };
    if (pod.netns_identity != netns.identity)
        missing.emplace_back("its namespace, which is another one than was bound");
    const auto held = datapath.bindings().exposures_of(pod.id);
    for (const Exposure& exposure : wished)
        if (std::find(held.begin(), held.end(), exposure) == held.end())
            missing.push_back("exposure " + exposure.node_port.to_string() + " -> " + exposure.backend.to_string());
    if (any_at(Scope::node, held))
        note(datapath.missing_hooks());
    if (pod.uplink != 0)
        note(missing_uplink(datapath, pod));
    if (any_at(Scope::pod, held))
        note(datapath.missing_pod_hooks(netns, pod.id));
    return missing;
}

/// Looks at what is in force; returns what is missing, in words.
std::vector<std::string> look(const Request& request, const JsonValue& root, const TolerantConfig& config)
{
    const Netns netns = open_netns(request.netns);
    if (left_to_another_version(config, "CHECK"))
        return {};
    const auto datapath = Datapath::find_tables(config.paths);
    const auto pods = datapath ? datapath->bindings().pods() : std::vector<BoundPod>{};
    const auto pod = std::ranges::find(pods, request.attachment, &BoundPod::id);
    if (pod != pods.end())
        return missing_of(*datapath, *pod, netns, wished(request, root));
    if (was_given_up(config.paths.state_dir, request.attachment))
        return {};  // its node ports: by `sallyport uninstall`, and a new sandbox wouldn't have them either
    return {datapath ? "its binding"
                     : "its binding, and all state below " + (config.paths.bpffs / "sallyport").string()};
}

}  // namespace

void check(const Request& request)
{
    const JsonValue root = JsonValue::parse(request.config, JsonValue::Duplicates::last_wins);
    if (is_plain(root))
        return;
    const TolerantConfig config = read_base_config(root);
    std::vector<std::string> missing;
    try {
        missing = look(request, root, config);
    } catch (const Error& error) {
        if (error.code() != Code::io_failure && error.code() != Code::node_lacks)
            throw;
        log_to(config.log);  // what can't be looked at needn't be broken
        log_warning("CHECK " + name_of_pod(request) + ": " + error.what() + "; nothing is said against the pod");
    }
    if (!missing.empty())
        throw Error(Code::io_failure,
                    "pod " + name_of_pod(request) + ": missing " + listed(missing) + "; start the pod anew");
}

}  // namespace sallyport
