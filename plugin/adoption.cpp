// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/adoption.hpp"

#include "sallyport/annotation.hpp"
#include "sallyport/commands.hpp"
#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"
#include "sallyport/refusals.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace sallyport {
namespace {

using Outcome = AdoptionResult::Outcome;

/// The name that every runtime gives to the interface of a pod's own network.
constexpr std::string_view default_interface = "eth0";

AttachmentId attachment_of(const Sandbox& sandbox)
{
    return {sandbox.id, std::string(default_interface)};
}

std::string full_name(const Sandbox& sandbox)
{
    return sandbox.pod_namespace + "/" + sandbox.pod_name;
}

bool asks_for_something(const Sandbox& sandbox)
{
    return std::ranges::any_of(sandbox.annotations,
                               [](const auto& annotation) { return is_our_annotation(annotation.first); });
}

Attachment resolve(const Sandbox& sandbox, const std::string& network)
{
    if (sandbox.netns.empty())
        throw Error(Code::io_failure, "the container runtime doesn't tell its network namespace; start the pod anew");
    std::vector<Address> of_device;
    in_netns(open_netns(sandbox.netns), [&] { of_device = read_addresses_of(std::string(default_interface)); });
    const PodAddresses addresses = choose_pod_addresses(sandbox.addresses, of_device);

    Attachment pod;
    pod.id = attachment_of(sandbox);
    pod.network = network;
    pod.pod_namespace = sandbox.pod_namespace;
    pod.pod_name = sandbox.pod_name;
    pod.pod_uid = sandbox.uid;
    pod.netns = sandbox.netns;
    pod.made_at = std::chrono::nanoseconds(sandbox.created_at);
    pod.v4 = addresses.v4;
    pod.v6 = addresses.v6;
    return pod;
}

/// Does it still run? Its runtime stops a pod before it calls DEL: whoever runs after he was bound has his DEL to come.
bool still_ready(const CriClient& runtime, const std::string& id)
{
    try {
        return runtime.inspect(id).ready;
    } catch (const Error& error) {
        if (error.code() == Code::unknown_container)
            return false;
        throw;
    }
}

/// nullopt for a pod that ends just now, or has nothing to bind.
std::optional<AdoptionResult> adopt(const CriClient& runtime, const Config& config, const Sandbox& listed)
{
    AdoptionResult result{listed.id, full_name(listed), Outcome::bound, {}};
    try {
        const Wishes wishes = parse_wishes(listed.annotations, {});
        if (wishes.empty())
            return std::nullopt;
        const Sandbox sandbox = runtime.inspect(listed.id);
        if (!sandbox.ready)
            return std::nullopt;
        if (sandbox.host_network)
            throw Error(Code::not_available,
                        "it uses the node's own network (hostNetwork), where its ports are the node's already; remove "
                        "its sallyport.dev/ annotations, or hostNetwork");
        const auto bound = bind_pod(config, wishes, resolve(sandbox, config.network), Caller::agent);
        if (!bound)
            return result;  // its ADD was faster
        if (!still_ready(runtime, listed.id)) {
            unbind_pod(config, attachment_of(listed));
            return std::nullopt;
        }
        result.outcome = Outcome::adopted;
        result.text = *bound;
    } catch (const Error& error) {
        if (error.code() == Code::try_again_later)
            throw;
        if (error.code() == Code::unknown_container)
            return std::nullopt;
        result.outcome = Outcome::refused;
        result.text = error.what();
        if (is_refusal(error.code())) {
            note_refusal(config.paths.state_dir, {listed.pod_namespace, listed.pod_name, listed.uid, error.what()});
            Datapath::note_rejection(config.paths, listed.pod_namespace, listed.pod_name, error.code());
        }
    }
    return result;
}

}  // namespace

PodAddresses choose_pod_addresses(const std::vector<std::string>& told, const std::vector<Address>& of_device)
{
    std::vector<Address> candidates;
    for (const std::string& text : told)
        if (const auto address = Address::parse(text);
            address && std::ranges::find(of_device, *address) != of_device.end())
            candidates.push_back(*address);
    if (told.empty())
        candidates = of_device;

    PodAddresses chosen;
    for (const Address& address : candidates)
        if (auto& first_of_family = address.is_v4() ? chosen.v4 : chosen.v6; !first_of_family)
            first_of_family = address;
    if (!chosen.v4 && !chosen.v6) {
        const std::string found = listed(of_device, &Address::to_string);
        throw Error(Code::io_failure, "the pod's " + std::string(default_interface) + " has " +
                                          (found.empty() ? "no address" : found) +
                                          (told.empty() ? "" : ", while the container runtime says " + listed(told)) +
                                          "; start the pod anew");
    }
    return chosen;
}

std::vector<AdoptionResult> adopt_earlier_pods(const CriClient& runtime, const Config& config,
                                               const std::stop_token& stop)
{
    std::vector<AdoptionResult> results;
    const auto datapath = Datapath::find(config.paths);  // as it is now: bind_pod() looks again, under the lock
    for (const Sandbox& sandbox : runtime.list_sandboxes()) {
        if (stop.stop_requested())
            break;
        if (!sandbox.ready || !asks_for_something(sandbox))
            continue;
        if (datapath && datapath->bindings().knows(attachment_of(sandbox)))
            results.push_back({sandbox.id, full_name(sandbox), Outcome::bound, {}});
        else if (auto result = adopt(runtime, config, sandbox))
            results.push_back(std::move(*result));
    }
    return results;
}

std::vector<AdoptionResult> news_since(const std::vector<AdoptionResult>& before,
                                       const std::vector<AdoptionResult>& now)
{
    std::vector<AdoptionResult> news;
    std::ranges::copy_if(now, std::back_inserter(news), [&](const AdoptionResult& result) {
        return result.outcome != Outcome::bound && std::ranges::find(before, result) == before.end();
    });
    return news;
}

}  // namespace sallyport
