// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// ADD, and the binding that the agent makes where ADD came too early. What removes is in del.cpp.
#include "sallyport/commands.hpp"

#include "sallyport/annotation.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/bindings.hpp"
#include "sallyport/cni/plain_pod.hpp"
#include "sallyport/conflicts.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/devices.hpp"
#include "sallyport/error.hpp"
#include "sallyport/fast_path.hpp"
#include "sallyport/follow.hpp"
#include "sallyport/frontends.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/os/loopback.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/os/process.hpp"
#include "sallyport/pod_names.hpp"
#include "sallyport/policy.hpp"
#include "sallyport/refusals.hpp"

#include <algorithm>

namespace sallyport {

namespace {

std::string summary(const std::vector<Exposure>& exposures)
{
    return listed(exposures, [](const Exposure& exposure) {
        return exposure.node_port.to_string() + " -> " + exposure.backend.to_string();
    });
}

/// The host's end of the pod's device, where the fast path is wanted; throws Error where it can't be had. Changes
/// nothing.
std::optional<Device> find_uplink(const Config& config, const Attachment& pod, const Netns& netns,
                                  const Surroundings& node)
{
    if (!config.fast_path)
        return std::nullopt;
    if (!kernel_has_tcx())
        throw Error(Code::node_lacks,
                    "fastPath needs tcx, which kernels have from 6.6 on (`uname -r`); set `fastPath` to false");
    Device of_pod;
    in_netns(netns, [&] { of_pod = read_device(pod.id.ifname); });
    Device uplink = find_host_end(of_pod, netns_id_of(netns.fd.get()), node.network.devices);
    std::vector<Device> passed = node.outside;
    passed.push_back(uplink);
    refuse_bypass(guarded_by_cilium(passed));
    refuse_smaller_mtu(of_pod, node.outside);
    return uplink;
}

/// The device of the pod's namespace that ends when the pod does: its own, which primary plugins take away before they
/// give its address to others. Hardware goes to the virtual machine in the pod, perhaps, and there the namespace's
/// loopback device stands for it. Ifindex in that namespace.
int device_that_lives_with(const Attachment& pod, const Netns& netns)
{
    try {
        Device of_pod;
        in_netns(netns, [&] { of_pod = read_device(pod.id.ifname); });
        return of_pod.kind.empty() ? loopback_device : of_pod.ifindex;
    } catch (const Error& error) {
        log_debug("pod " + pod.pod() + ": " + error.what());
        return loopback_device;
    }
}

/// What a pod sends to its own node port is for itself, and so goes by its loopback device. Runtimes set that up before
/// any plugin is called, or beside it; where none did, the pod would hear nothing for two minutes.
void let_reach_itself(const Attachment& pod, const Netns& netns)
{
    try {
        bool was_down = false;
        in_netns(netns, [&] { was_down = bring_up_loopback(); });
        if (was_down)
            log_info("pod " + pod.pod() + ": set its lo up, by which it reaches its own node ports");
    } catch (const Error& error) {
        log_warning("pod " + pod.pod() + " doesn't reach its own node ports: " + error.what());
    }
}

void refuse_cut_off(const std::vector<Exposure>& wanted, const std::vector<HostListener>& listeners,
                    const Answered& answered)
{
    const HostListener* cut_off = find_cut_off(wanted, listeners, answered);
    if (cut_off == nullptr)
        return;
    const auto process = find_socket_owner(cut_off->inode);
    const std::string who = process ? "process " + process->name + " (pid " + std::to_string(process->pid) + ")"
                                    : "a process that isn't visible from here";
    throw Error(Code::port_taken,
                "node port " + std::to_string(number(cut_off->port)) + "/" + std::string(name(cut_off->protocol)) +
                    " is taken: " + who + " listens on " + bracketed(cut_off->address) + ":" +
                    std::to_string(number(cut_off->port)) + " of the node; stop it, choose another port, " +
                    (cut_off->address.is_any() || cut_off->address.is_localhost()
                         ? ""
                         : "leave it that address by \"!" + cut_off->address.to_string() + "\" in `addresses`, ") +
                    "or set `reservePorts` to false");
}

/// `mapped`: what a container tool outside Kubernetes publishes (portMappings). Such a tool may hold the port itself,
/// so that everybody sees it taken: nerdctl starts a process for it (`sleep`) just before it calls us, podman's conmon
/// keeps it. So what is held by the process that calls us, or by a child of it, is no conflict. Nobody else's is
/// excused: a process gets there only by the tool.
void refuse_host_processes(std::vector<Exposure> wanted, const std::vector<Exposure>& mapped, const Answered& answered)
{
    std::vector<HostListener> listeners = read_host_listeners();
    if (find_cut_off(mapped, listeners, answered) != nullptr) {
        std::erase_if(wanted, [&](const Exposure& exposure) {
            return std::find(mapped.begin(), mapped.end(), exposure) != mapped.end();
        });
        refuse_cut_off(wanted, listeners, answered);
        std::erase_if(listeners, [held = sockets_of_caller()](const HostListener& listener) {
            return held.contains(listener.inode);
        });
        wanted = mapped;
    }
    refuse_cut_off(wanted, listeners, answered);
}

/// What others serve at the wanted node ports; where nobody asks, nothing.
std::vector<Frontend> served_by_others(const std::vector<Exposure>& wanted, const Config& config,
                                       const Answered& answered)
{
    std::vector<NodePort> node_ports;
    if (config.reserve_ports)
        std::ranges::transform(wanted, std::back_inserter(node_ports), &Exposure::node_port);
    return find_taken_over(config.paths.bpffs, node_ports, answered);
}

/// What is served for others would be theirs no more: our programs are asked first.
void refuse_served_by_others(const std::vector<Exposure>& wanted, const std::vector<Frontend>& frontends,
                             const Answered& answered, const Attachment& pod, const Bindings& bindings)
{
    if (frontends.empty())
        return;
    PodNames names(bindings);
    refuse_takeover(wanted, frontends, answered, pod, [&](const Address& address) { return names.of(address); });
}

/// What of it a container tool publishes; nothing in Kubernetes, where the kubelet holds no port of a pod's.
std::vector<Exposure> published_by_tool(const Config& config, const Wishes& wishes, const Attachment& pod,
                                        const Surroundings& node, Caller caller)
{
    if (!pod.pod_namespace.empty() || caller != Caller::runtime)
        return {};
    Wishes mappings;
    mappings.port_mappings = wishes.port_mappings;
    return desired(config, mappings, pod, node.answered);
}

}  // namespace

std::optional<std::string> bind_pod(const Config& config, const Wishes& wishes, const Attachment& pod, Caller caller)
{
    const Surroundings node = look_around(config);
    const std::vector<Exposure> wanted = desired(config, wishes, pod, node.answered);
    const std::vector<Exposure> published = published_by_tool(config, wishes, pod, node, caller);
    const bool at_node = any_at(Scope::node, wanted);
    if (at_node)
        require_any(node.outside, config.devices);
    const Netns netns = open_netns(pod.netns);
    const auto uplink = at_node ? find_uplink(config, pod, netns, node) : std::nullopt;
    const int device = device_that_lives_with(pod, netns);
    const auto others =
        served_by_others(wanted, config, node.answered);  // may be a hundred thousand rules: no lock yet

    const FileLock lock = FileLock::take(config.paths.state_dir, patience_of(caller));
    Datapath datapath = Datapath::open(config.paths, config.flows);
    if (caller == Caller::runtime)
        forget_the_past(datapath.bindings());
    else if (datapath.bindings().knows(pod.id))
        return std::nullopt;
    try {
        end_predecessors(datapath.bindings(), pod.id, pod.network, addresses_of(pod));
        refuse_other_namespaces(wanted, pod, datapath.bindings().holders_outside(pod.pod_namespace));
        if (!published.empty())
            refuse_other_containers(published, pod, datapath.bindings().holders_within(pod.pod_namespace));
        if (at_node && config.reserve_ports) {
            refuse_host_processes(wanted, published, node.answered);
            refuse_served_by_others(wanted, others, node.answered, pod, datapath.bindings());
        }
        if (const auto shortfall = follow_node(datapath, config, node, at_node))
            log_warning(*shortfall);
        datapath.forget_unbound_pod_hooks();  // of pods that vanished, and of an ADD that was killed
        if (any_at(Scope::pod, wanted))
            datapath.attach_pod(netns, pod.id);
        if (uplink)
            datapath.attach_uplink(*uplink, pod.id);
        datapath.follow_life(netns, device);
        if (at_node && config.local_access)
            let_reach_itself(pod, netns);
        datapath.bindings().bind({pod, netns.identity, netns_id_of(netns.fd.get()), wishes.sharing, wanted,
                                  uplink ? uplink->ifindex : 0, uplink.has_value()});
        datapath.forget_unbound_pod_hooks();  // of an earlier ADD of the same pod
    } catch (const Error& error) {
        if (error.code() == Code::port_taken)
            count_conflict(config.paths.state_dir, pod, std::chrono::steady_clock::now());
        datapath.forget_unbound_pod_hooks();
        tidy_up(config.paths);
        throw or_elsewhere(error, pod);
    }
    return summary(wanted);
}

std::string add(const Request& request)
{
    const JsonValue root = JsonValue::parse(request.config, JsonValue::Duplicates::last_wins);
    const bool plain = is_plain(root);
    const auto prev_result = prev_result_of(request.config);
    if (!prev_result)
        throw Error(
            Code::invalid_network_config,
            "/prevResult is missing: sallyport must stand after the primary plugin in the conflist's `plugins`");
    if (plain) {
        end_predecessors_of_plain(request, root);
        return *prev_result;  // nothing of ours is judged, so nothing of ours can fail it
    }

    const Config config = parse_config(request.config);
    try {
        const Wishes wishes = parse_wishes(config.annotations, config.port_mappings);
        if (wishes.empty())
            return *prev_result;

        log_to(config.log);
        const Attachment pod = resolve_attachment(request, config.network, read_prev_result(root));
        log_info("ADD " + pod.pod() + ": " + *bind_pod(config, wishes, pod, Caller::runtime));
        return *prev_result;
    } catch (const Error& error) {
        if (is_refusal(error.code())) {
            note_refusal(config.paths.state_dir,
                         {request.pod_namespace, request.pod_name, request.pod_uid, error.what()});
            Datapath::note_rejection(config.paths, request.pod_namespace, request.pod_name, error.code());
        }
        throw;
    }
}

}  // namespace sallyport
