// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/frontends.hpp"

#include "sallyport/error.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/ipvs.hpp"
#include "sallyport/os/netfilter.hpp"

#include <algorithm>
#include <iterator>

namespace sallyport {

namespace {

std::vector<Frontend> frontends_of_packet_filter(const std::vector<NodePort>& node_ports, const Answered& answered)
{
    try {
        return frontends_of(read_packet_filter(FilterHook::prerouting), node_ports, answered);
    } catch (const Error& error) {
        log_warning(std::string("whether rules of the packet filter serve a node port too isn't known: ") +
                    error.what());
        return {};
    }
}

}  // namespace

std::vector<Frontend> find_taken_over(const std::filesystem::path& bpffs, const std::vector<NodePort>& node_ports,
                                      const Answered& answered)
{
    if (std::ranges::none_of(node_ports, [](const NodePort& at) { return at.scope == Scope::node; }))
        return {};
    const auto taken_over = [&](const Frontend& frontend) {
        return std::ranges::any_of(
            node_ports, [&](const NodePort& node_port) { return is_taken_over(frontend, node_port, answered); });
    };
    std::vector<Frontend> frontends =
        frontends_of_cilium(bpffs, [&](const NodePort& at) { return taken_over({.at = at}); });
    std::ranges::move(frontends_of_packet_filter(node_ports, answered), std::back_inserter(frontends));
    std::ranges::move(read_ipvs(), std::back_inserter(frontends));
    std::erase_if(frontends, [&](const Frontend& frontend) { return !taken_over(frontend); });
    return frontends;
}

}  // namespace sallyport
