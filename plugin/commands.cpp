// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/commands.hpp"

#include "sallyport/abi.h"
#include "sallyport/annotation.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/bindings.hpp"
#include "sallyport/cni/plain_pod.hpp"
#include "sallyport/cni/valid_attachments.hpp"
#include "sallyport/conflicts.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/devices.hpp"
#include "sallyport/error.hpp"
#include "sallyport/failures.hpp"
#include "sallyport/fast_path.hpp"
#include "sallyport/follow.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/os/process.hpp"
#include "sallyport/pod_names.hpp"
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

/// What Cilium serves for others would be theirs no more: our programs are asked first.
void refuse_served_by_cilium(const std::vector<Exposure>& wanted, const Config& config, const Answered& answered,
                             const Attachment& pod, const Bindings& bindings)
{
    const auto concerned = [&](const NodePort& at) {
        return std::ranges::any_of(
            wanted, [&](const Exposure& exposure) { return is_taken_over({.at = at}, exposure.node_port, answered); });
    };
    const auto frontends = frontends_of_cilium(config.paths.bpffs, concerned);
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

/// The contract promises the next CNI call; a removal that has succeeded doesn't fail over it. Nor does it need the
/// whole configuration, which may have been broken since ADD: where our programs are is where the outside is.
void follow_addresses(Datapath& datapath)
{
    try {
        const NodeNetwork network = read_node_network();
        const auto names = datapath.devices();
        std::vector<Device> outside;
        std::ranges::copy_if(network.devices, std::back_inserter(outside), [&](const Device& device) {
            return std::ranges::find(names, device.name) != names.end();
        });
        if (!outside.empty())
            datapath.follow_own_addresses(own_addresses(network, outside));
    } catch (const Error& error) {
        log_warning(error.what());
    }
}

/// Carries out a removal under the lock, past what fails of it. Throws one Error that lists that.
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
    Failures failures;
    if (auto datapath = Datapath::find_tables(config.paths)) {
        failures.attempt([&] { removal(datapath->bindings()); });
        if (caller == Caller::runtime)
            failures.attempt([&] { forget_the_past(datapath->bindings()); });
        failures.attempt([&] { datapath->forget_unbound_pod_hooks(); });
        follow_addresses(*datapath);
    }
    failures.attempt([&] { tidy_up(config.paths); });
    failures.raise("remove what is bound");
}

void remove_attachment(const Request& request, const TolerantConfig& config)
{
    if (!Datapath::exists(config.paths) || left_to_another_version(config, "DEL"))
        return;
    const auto datapath = Datapath::find_tables(config.paths);
    if (datapath && Datapath::in_use(config.paths) && !datapath->bindings().knows(request.attachment))
        return;  // a plain pod, or one that is gone already

    log_to(config.log);
    if (!config.objection.empty())
        log_warning("DEL " + request.attachment.container_id + ": " + config.objection);
    remove_locked(config, Caller::runtime, [&](Bindings& bindings) {
        if (bindings.unbind(request.attachment))
            log_info("DEL " + request.attachment.container_id + ": removed what it held");
    });
}

}  // namespace

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

std::optional<std::string> bind_pod(const Config& config, const Wishes& wishes, const Attachment& pod, Caller caller)
{
    const Surroundings node = look_around(config);
    const std::vector<Exposure> wanted = desired(config, wishes, pod, node.answered);
    const bool at_node = any_at(Scope::node, wanted);
    if (at_node)
        require_any(node.outside, config.devices);
    const Netns netns = open_netns(pod.netns);
    const auto uplink = at_node ? find_uplink(config, pod, netns, node) : std::nullopt;
    const int host_device = uplink ? uplink->ifindex : find_host_device(pod, netns, node.network);

    const FileLock lock =
        FileLock::take(config.paths.state_dir, caller == Caller::agent ? agent_patience : lock_patience);
    Datapath datapath = Datapath::open(config.paths, config.flows);
    if (caller == Caller::runtime)
        forget_the_past(datapath.bindings());
    else if (datapath.bindings().knows(pod.id))
        return std::nullopt;
    try {
        refuse_other_namespaces(wanted, pod, datapath.bindings().holders_outside(pod.pod_namespace));
        if (at_node && config.reserve_ports) {
            refuse_host_processes(wanted, published_by_tool(config, wishes, pod, node, caller), node.answered);
            refuse_served_by_cilium(wanted, config, node.answered, pod, datapath.bindings());
        }
        if (const auto shortfall = follow_node(datapath, config, node, at_node))
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
    const bool plain = is_plain(request.config);
    const auto prev_result = prev_result_of(request.config);
    if (!prev_result)
        throw Error(
            Code::invalid_network_config,
            "/prevResult is missing: sallyport must stand after the primary plugin in the conflist's `plugins`");
    if (plain)
        return *prev_result;  // nothing of ours is judged or opened, so nothing of ours can fail it

    const Config config = parse_config(request.config);
    try {
        const Wishes wishes = parse_wishes(config.annotations, config.port_mappings);
        if (wishes.empty())
            return *prev_result;

        log_to(config.log);
        const Attachment pod = resolve_attachment(request, config.network, parse_prev_result(request.config));
        log_info("ADD " + pod.pod() + ": " + *bind_pod(config, wishes, pod, Caller::runtime));
        return *prev_result;
    } catch (const Error& error) {
        if (is_refusal(error.code()))
            note_refusal(config.paths.state_dir,
                         {request.pod_namespace, request.pod_name, request.pod_uid, error.what()});
        throw;
    }
}

void del(const Request& request) noexcept
{
    // The runtime can't mend what is in our way, and after a failure it frees neither the pod's addresses nor its
    // namespace. What stays here is a gone pod's: the next gateway's ADD removes it, or the agent.
    try {
        const TolerantConfig config = parse_base_config(request.config);
        try {
            remove_attachment(request, config);
        } catch (const std::exception& failure) {
            log_to(config.log);
            log_error("DEL " + request.attachment.container_id + ": " + failure.what() +
                      "; left to the next gateway's ADD, or to the agent");
        }
    } catch (const std::exception&) {
        return;  // out of memory: not even the log can be told
    }
}

void gc(const Request& request)
{
    const auto valid = parse_valid_attachments(request.config);
    const TolerantConfig config = parse_base_config(request.config);
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

}  // namespace sallyport
