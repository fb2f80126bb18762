// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// DEL and GC, and what ends without either: a pod whose address somebody else has now.
#include "sallyport/commands.hpp"

#include "sallyport/abi.h"
#include "sallyport/cni/result.hpp"
#include "sallyport/cni/valid_attachments.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/devices.hpp"
#include "sallyport/error.hpp"
#include "sallyport/failures.hpp"
#include "sallyport/follow.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/file_lock.hpp"
#include "sallyport/os/netlink.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace sallyport {

namespace {

/// Longest wait for the lock. Runtimes give a plugin some minutes; each holder needs milliseconds.
constexpr std::chrono::seconds lock_patience{30};

/// The agent has other things to do, and tries again.
constexpr std::chrono::seconds agent_patience{1};

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
        lock = FileLock::take(config.paths.state_dir, patience_of(caller));
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
    if (datapath && Datapath::in_use(config.paths) && !datapath->bindings().knows(request.attachment) &&
        !datapath->bindings().any_gone())
        return;  // a plain pod, or one that is gone already

    log_to(config.log);
    if (!config.objection.empty())
        log_warning("DEL " + request.attachment.container_id + ": " + config.objection);
    remove_locked(config, Caller::runtime, [&](Bindings& bindings) {
        if (bindings.unbind(request.attachment))
            log_info("DEL " + request.attachment.container_id + ": removed what it held");
    });
}

void end_predecessors_of(const Request& request, const JsonValue& root, const TolerantConfig& config)
{
    if (!Datapath::exists(config.paths))
        return;
    std::vector<Address> addresses;
    for (const AssignedAddress& ip : read_prev_result(root).ips)
        addresses.push_back(ip.address);
    if (!Datapath::knows_address(config.paths, addresses) || left_to_another_version(config, "ADD"))
        return;

    log_to(config.log);
    remove_locked(config, Caller::runtime, [&](Bindings& bindings) {
        end_predecessors(bindings, request.attachment, config.network, addresses);
    });
}

/// The runtime can't mend what is in our way of a removal, so it doesn't fail the call: the log gets it, with what
/// follows from it.
template <typename Read, typename Remove>
void try_removal(const Request& request, const std::string& command, const char* consequence, const Read& read_config,
                 const Remove& remove) noexcept
{
    try {
        const TolerantConfig config = read_config();
        try {
            remove(config);
        } catch (const std::exception& failure) {
            log_to(config.log);
            log_error(command + " " + request.attachment.container_id + ": " + failure.what() + "; " + consequence);
        }
    } catch (const std::exception&) {
        return;  // out of memory: not even the log can be told
    }
}

}  // namespace

std::chrono::milliseconds patience_of(Caller caller)
{
    return caller == Caller::agent ? agent_patience : lock_patience;
}

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

void end_predecessors(Bindings& bindings, const AttachmentId& successor, const std::string& network,
                      const std::vector<Address>& addresses)
{
    for (const BoundPod& pod : forget_predecessors(bindings, successor, network, addresses))
        log_warning("pod " + pod.pod() + " went without DEL, as its address is another's now: removed what it held");
}

void end_predecessors_of_plain(const Request& request, const JsonValue& root) noexcept
{
    try_removal(
        request, "ADD", "a pod that had its address before still holds its node ports",
        [&] { return read_base_config(root); },
        [&](const TolerantConfig& config) { end_predecessors_of(request, root, config); });
}

void unbind_pod(const BaseConfig& config, const AttachmentId& id)
{
    remove_locked(config, Caller::agent, [&](Bindings& bindings) { bindings.unbind(id); });
}

void del(const Request& request) noexcept
{
    // After a failure the runtime would free neither the pod's addresses nor its namespace. What stays here is a gone
    // pod's: the next gateway's ADD removes it, or the agent.
    try_removal(
        request, "DEL", "left to the next gateway's ADD, or to the agent",
        [&] { return parse_base_config(request.config); },
        [&](const TolerantConfig& config) { remove_attachment(request, config); });
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
