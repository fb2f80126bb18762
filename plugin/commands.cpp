// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/commands.hpp"

#include "sallyport/abi.h"
#include "sallyport/annotation.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/bindings.hpp"
#include "sallyport/conflicts.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"
#include "sallyport/fast_path.hpp"
#include "sallyport/follow.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/os/process.hpp"
#include "sallyport/policy.hpp"
#include "sallyport/refusals.hpp"

#include <algorithm>
#include <set>

namespace sallyport {

namespace {

/// Longest wait for the lock. Runtimes give a plugin some minutes; each holder needs milliseconds.
constexpr std::chrono::seconds lock_patience{30};

/// The agent has other things to do, and tries again.
constexpr std::chrono::seconds agent_patience{1};

std::string summary(const std::vector<Exposure>& exposures)
{
    return listed(exposures, [](const Exposure& exposure) {
        return exposure.node_port.to_string() + " -> " + exposure.backend.to_string();
    });
}

/// The host's end of the pod's device, where the fast path is wanted; throws Error where it can't be had. Changes
/// nothing.
std::optional<Device> find_uplink(const Config& config, const Attachment& pod, const Netns& netns,
                                  const NodeNetwork& network, const std::vector<Device>& outside)
{
    if (!config.fast_path || outside.empty())
        return std::nullopt;
    if (!kernel_has_tcx())
        throw Error(Code::node_lacks,
                    "fastPath needs tcx, which kernels have from 6.6 on (`uname -r`); set `fastPath` to false");
    Device of_pod;
    in_netns(netns, [&] { of_pod = read_device(pod.id.ifname); });
    Device uplink = find_host_end(of_pod, netns_id_of(netns.fd.get()), network.devices);
    std::vector<Device> passed = outside;
    passed.push_back(uplink);
    refuse_bypass(guarded_by_cilium(passed));
    refuse_smaller_mtu(of_pod, outside);
    return uplink;
}

/// Ifindex of the host's end of the pod's device; 0 where it has none, or that can't be told. Without it, a pod that
/// vanished without DEL is found out by the next ADD: no reason to refuse this one.
int find_host_device(const Attachment& pod, const Netns& netns, const NodeNetwork& network)
{
    try {
        Device of_pod;
        in_netns(netns, [&] { of_pod = read_device(pod.id.ifname); });
        const Device* end = other_end(of_pod, netns_id_of(netns.fd.get()), network.devices);
        return end == nullptr ? 0 : end->ifindex;
    } catch (const Error& error) {
        log_debug("pod " + pod.pod() + ": " + error.what());
        return 0;
    }
}

void refuse_cut_off(const std::vector<Exposure>& wanted, const std::vector<HostListener>& listeners)
{
    const HostListener* cut_off = find_cut_off(wanted, listeners);
    if (cut_off == nullptr)
        return;
    const auto process = find_socket_owner(cut_off->inode);
    const std::string who = process ? "process " + process->name + " (pid " + std::to_string(process->pid) + ")"
                                    : "a process that isn't visible from here";
    throw Error(Code::port_taken, "node port " + std::to_string(number(cut_off->port)) + "/" +
                                      std::string(name(cut_off->protocol)) + " is taken: " + who + " listens on " +
                                      bracketed(cut_off->address) + ":" + std::to_string(number(cut_off->port)) +
                                      " of the node; stop it, choose another port, or set `reservePorts` to false");
}

/// `mapped`: what a container tool outside Kubernetes publishes (portMappings). Such a tool may hold the port itself,
/// so that everybody sees it taken: nerdctl starts a process for it (`sleep`) just before it calls us, podman's conmon
/// keeps it. So what is held by the process that calls us, or by a child of it, is no conflict. Nobody else's is
/// excused: a process gets there only by the tool.
void refuse_host_processes(std::vector<Exposure> wanted, const std::vector<Exposure>& mapped)
{
    std::vector<HostListener> listeners = read_host_listeners();
    if (find_cut_off(mapped, listeners) != nullptr) {
        std::erase_if(wanted, [&](const Exposure& exposure) {
            return std::find(mapped.begin(), mapped.end(), exposure) != mapped.end();
        });
        refuse_cut_off(wanted, listeners);
        std::erase_if(listeners, [held = sockets_of_caller()](const HostListener& listener) {
            return held.contains(listener.inode);
        });
        wanted = mapped;
    }
    refuse_cut_off(wanted, listeners);
}

/// What of it a container tool publishes; nothing in Kubernetes, where the kubelet holds no port of a pod's.
std::vector<Exposure> published_by_tool(const Config& config, const Wishes& wishes, const Attachment& pod,
                                        const NodeNetwork& network, Caller caller)
{
    if (!pod.pod_namespace.empty() || caller != Caller::runtime)
        return {};
    Wishes mappings;
    mappings.port_mappings = wishes.port_mappings;
    return desired(config, mappings, pod, network.addresses);
}

/// The contract promises the next CNI call; a removal that has succeeded doesn't fail over it.
void follow_addresses(Datapath& datapath)
{
    try {
        datapath.follow_addresses(read_node_addresses(), std::nullopt);
    } catch (const Error& error) {
        log_warning(error.what());
    }
}

/// What CHECK says about the programs on devices.
std::vector<std::string> missing_hooks(const Datapath& datapath, const Config& config, const Attachment& pod,
                                       const NodeNetwork& network, const std::vector<Exposure>& wanted)
{
    std::vector<std::string> missing;
    const auto note = [&](const std::vector<std::string>& more) {
        missing.insert(missing.end(), more.begin(), more.end());
    };
    const Netns netns = open_netns(pod.netns);
    if (any_at(Scope::node, wanted)) {
        const auto devices = choose_devices(config, network);
        note(datapath.missing_hooks(devices));
        if (const auto uplink = find_uplink(config, pod, netns, network, devices))
            note(datapath.missing_uplink(*uplink, pod.id));
    }
    if (any_at(Scope::pod, wanted))
        note(datapath.missing_pod_hooks(netns, pod.id));
    return missing;
}

/// A runtime must not be kept from removing a pod, whatever stands in our way.
bool left_to_another_version(const BaseConfig& config, const char* command)
{
    const auto abi = pinned_abi(config.paths);
    if (!abi || *abi == SALLYPORT_ABI)
        return false;
    log_to(config.log);
    log_warning(std::string(command) + " leaves everything as it is: the tables are of ABI " + std::to_string(*abi) +
                ", this binary is of ABI " + std::to_string(SALLYPORT_ABI));
    return true;
}

/// Carries out a removal under the lock.
template <typename Removal>
void remove_locked(const BaseConfig& config, Caller caller, Removal&& removal)
{
    std::optional<FileLock> lock;
    try {
        lock = FileLock::take(config.paths.state_dir, caller == Caller::agent ? agent_patience : lock_patience);
    } catch (const Error& error) {
        if (error.code() == Code::try_again_later)
            throw;
        // A state directory that is broken for us is broken for every ADD too: nobody is in our way.
        log_warning(std::string("removing without the lock: ") + error.what());
    }
    if (auto datapath = Datapath::find(config.paths)) {
        removal(datapath->bindings());
        if (caller == Caller::runtime)
            forget_the_past(datapath->bindings());
        datapath->forget_unbound_pod_hooks();
        follow_addresses(*datapath);
    }
    tidy_up(config.paths);
}

}  // namespace

std::optional<std::string> bind_pod(const Config& config, const Wishes& wishes, const Attachment& pod, Caller caller)
{
    const NodeNetwork network = read_node_network();
    const std::vector<Exposure> wanted = desired(config, wishes, pod, network.addresses);
    const bool at_node = any_at(Scope::node, wanted);
    const auto devices = at_node ? choose_devices(config, network) : std::vector<Device>{};
    const Netns netns = open_netns(pod.netns);
    const auto uplink = find_uplink(config, pod, netns, network, devices);
    const int host_device = find_host_device(pod, netns, network);

    const FileLock lock =
        FileLock::take(config.paths.state_dir, caller == Caller::agent ? agent_patience : lock_patience);
    Datapath datapath = Datapath::open(config.paths, config.flows);
    if (caller == Caller::runtime)
        forget_the_past(datapath.bindings());
    else if (datapath.bindings().knows(pod.id))
        return std::nullopt;
    try {
        refuse_other_namespaces(wanted, pod, datapath.bindings().holders_outside(pod.pod_namespace));
        if (at_node && config.reserve_ports)
            refuse_host_processes(wanted, published_by_tool(config, wishes, pod, network, caller));
        if (const auto shortfall =
                follow_node(datapath, config, network.addresses, at_node ? std::optional(devices) : std::nullopt))
            log_warning(*shortfall);
        datapath.forget_unbound_pod_hooks();  // of pods that vanished, and of an ADD that was killed
        if (any_at(Scope::pod, wanted))
            datapath.attach_pod(netns, pod.id);
        if (uplink)
            datapath.attach_uplink(*uplink, pod.id);
        datapath.bindings().bind({pod, netns.identity, netns_id_of(netns.fd.get()), wishes.sharing, wanted, host_device,
                                  uplink.has_value()});
        datapath.forget_unbound_pod_hooks();  // of an earlier ADD of the same pod
    } catch (const Error& error) {
        if (error.code() == Code::port_taken)
            count_conflict(config.paths.state_dir);
        datapath.forget_unbound_pod_hooks();
        tidy_up(config.paths);
        throw;
    }
    return summary(wanted);
}

void unbind_pod(const BaseConfig& config, const AttachmentId& id)
{
    remove_locked(config, Caller::agent, [&](Bindings& bindings) { bindings.unbind(id); });
}

std::string add(const Request& request)
{
    const Config config = parse_config(request.config);
    if (!config.prev_result)
        throw Error(
            Code::invalid_network_config,
            "/prevResult is missing: sallyport must stand after the primary plugin in the conflist's `plugins`");
    try {
        const Wishes wishes = parse_wishes(config.annotations, config.port_mappings);
        if (wishes.empty())
            return *config.prev_result;  // a plain pod: nothing of ours is opened, so nothing of ours can fail it

        log_to(config.log);
        const Attachment pod = resolve_attachment(request, config.network, parse_prev_result(request.config));
        log_info("ADD " + pod.pod() + ": " + *bind_pod(config, wishes, pod, Caller::runtime));
        return *config.prev_result;
    } catch (const Error& error) {
        if (is_refusal(error.code()))
            note_refusal(config.paths.state_dir,
                         {request.pod_namespace, request.pod_name, request.pod_uid, error.what()});
        throw;
    }
}

void del(const Request& request)
{
    const BaseConfig config = parse_base_config(request.config);
    if (!Datapath::exists(config.paths) || left_to_another_version(config, "DEL"))
        return;
    const auto datapath = Datapath::find(config.paths);
    if (datapath && Datapath::in_use(config.paths) && !datapath->bindings().knows(request.attachment))
        return;  // a plain pod, or one that is gone already

    log_to(config.log);
    remove_locked(config, Caller::runtime, [&](Bindings& bindings) {
        if (bindings.unbind(request.attachment))
            log_info("DEL " + request.attachment.container_id + ": removed what it held");
    });
}

void check(const Request& request)
{
    const Config config = parse_config(request.config);
    if (!config.prev_result)
        throw Error(Code::invalid_network_config, "/prevResult is missing: CHECK needs the result of ADD");
    const Wishes wishes = parse_wishes(config.annotations, config.port_mappings);
    if (wishes.empty())
        return;

    const Attachment pod = resolve_attachment(request, config.network, parse_prev_result(request.config));
    const NodeNetwork network = read_node_network();
    const std::vector<Exposure> wanted = desired(config, wishes, pod, network.addresses);
    const auto datapath = Datapath::find(config.paths);
    if (!datapath)
        throw Error(Code::io_failure, "pod " + pod.pod() + " isn't bound: there is no state below " +
                                          (config.paths.bpffs / "sallyport").string() + "; start the pod anew");

    std::vector<std::string> missing = datapath->bindings().missing_of(pod.id);
    const auto held = datapath->bindings().exposures_of(pod.id);
    for (const Exposure& exposure : wanted)
        if (std::find(held.begin(), held.end(), exposure) == held.end())
            missing.push_back("exposure " + summary({exposure}));
    for (const std::string& hook : missing_hooks(*datapath, config, pod, network, wanted))
        missing.push_back(hook);
    if (missing.empty())
        return;
    throw Error(Code::io_failure, "pod " + pod.pod() + ": missing " + listed(missing) + "; start the pod anew");
}

void gc(const Request& request)
{
    const BaseConfig config = parse_base_config(request.config);
    const auto valid = parse_valid_attachments(request.config);
    if (!Datapath::exists(config.paths) || left_to_another_version(config, "GC"))
        return;

    log_to(config.log);
    const std::set<AttachmentId> keep(valid.begin(), valid.end());
    remove_locked(config, Caller::runtime, [&](Bindings& bindings) {
        for (const BoundPod& pod : bindings.pods())
            if (pod.network == config.network && !keep.contains(pod.id) && bindings.unbind(pod.id))
                log_info("GC " + pod.pod() + ": removed what it held");
    });
}

void status(const Request& request)
{
    parse_config(request.config);
}

}  // namespace sallyport
