// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/pod_names.hpp"

#include "sallyport/cri.hpp"
#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

namespace sallyport {

namespace {

/// For all its answers: the runtime waits for our own.
constexpr std::chrono::seconds patience{3};

}  // namespace

PodNames::PodNames(const Bindings& bindings, std::string cri_socket) : cri_socket_(std::move(cri_socket))
{
    std::map<std::uint64_t, PodName> bound;
    for (const BoundPod& pod : bindings.pods())
        bound.emplace(pod.generation, PodName{pod.pod_namespace, pod.pod_name});
    for (const NodePortEntry& entry : bindings.node_ports())
        for (const NodePortBackend& place : entry.backends)
            if (const auto pod = bound.find(place.generation); pod != bound.end())
                names_.emplace(place.backend.address, pod->second);
}

std::optional<PodName> PodNames::of(const Address& address)
{
    if (!names_.contains(address) && !std::exchange(asked_, true))
        ask_runtime();
    const auto found = names_.find(address);
    return found == names_.end() ? std::nullopt : std::optional(found->second);
}

void PodNames::ask_runtime()
{
    const auto socket = find_cri_socket(cri_socket_);
    if (!socket)
        return;
    const auto end = std::chrono::steady_clock::now() + patience;
    try {
        const CriClient runtime(*socket, std::chrono::seconds(1));
        for (const Sandbox& listed : runtime.list_sandboxes()) {
            if (!listed.ready || std::chrono::steady_clock::now() > end)
                continue;
            const Sandbox sandbox = runtime.inspect(listed.id);
            for (const std::string& text : sandbox.addresses)
                if (const auto address = Address::parse(text); address && !sandbox.host_network)
                    names_.emplace(*address, PodName{listed.pod_namespace, listed.pod_name});
        }
    } catch (const Error& error) {
        log_debug(std::string("whose pod has the port stays unknown: ") + error.what());
    }
}

}  // namespace sallyport
