// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// frontends_of(), of frontend.hpp.
#include "sallyport/frontend.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace sallyport {

namespace {

/// Who writes rules of his own: by a table's name in nftables, by the beginning of the chains' names in iptables.
struct Author
{
    std::string_view table;
    std::string_view chain;
    std::string_view name;
    Frontend::Kind kind;
};

constexpr std::array authors{
    Author{"crio-hostports", "KUBE-HOSTPORTS", "CRI-O", Frontend::Kind::host_port},
    Author{"cni_hostport", "CNI-", "the portmap plugin", Frontend::Kind::host_port},
    Author{"netavark", "NETAVARK-", "podman's netavark", Frontend::Kind::published},
    Author{"docker-bridges", "DOCKER", "Docker", Frontend::Kind::published},
    Author{"kube-proxy", "KUBE-", "kube-proxy", Frontend::Kind::node_port},
};

const Author* author_of(const FilterChain& chain)
{
    const auto* author = std::ranges::find_if(
        authors, [&](const Author& each) { return chain.table == each.table || chain.name.starts_with(each.chain); });
    return author == authors.end() ? nullptr : author;
}

Backend backend_from(const Destination& to, const NodePort& node_port)
{
    const Address itself = node_port.address.is_v4() ? Address::any_v4() : Address::any_v6();
    return {to.address.value_or(itself), PodPort{to.port == 0 ? number(node_port.port) : to.port}, node_port.protocol};
}

Frontend frontend_from(const Translation& translation, const NodePort& node_port)
{
    const Author* author = author_of(translation.chain);
    Frontend frontend{.at = node_port, .kind = author ? author->kind : Frontend::Kind::rule, .by = {}};
    frontend.at.address = translation.at.value_or(node_port.address.is_v4() ? Address::any_v4() : Address::any_v6());
    if (frontend.kind == Frontend::Kind::node_port && translation.at)
        frontend.kind = Frontend::Kind::service;
    for (const Destination& to : translation.to)
        frontend.backends.push_back(backend_from(to, node_port));
    frontend.by =
        author ? std::string(author->name) + " (" + translation.chain.to_string() + ")" : translation.chain.to_string();
    return frontend;
}

}  // namespace

std::vector<Frontend> frontends_of(const std::vector<FilterChain>& chains, const std::vector<NodePort>& node_ports,
                                   const Answered& answered)
{
    const auto is_answered = [&](const Address& address) { return is_reached_at(address, answered); };
    std::vector<Frontend> frontends;
    for (const NodePort& node_port : node_ports) {
        const Passage passage{.v4 = node_port.address.is_v4(),
                              .local = true,
                              .protocol = static_cast<std::uint8_t>(node_port.protocol),
                              .port = number(node_port.port)};
        if (node_port.scope == Scope::node)
            for (const Translation& translation : find_translations(chains, passage, is_answered))
                frontends.push_back(frontend_from(translation, node_port));
    }
    return frontends;
}

}  // namespace sallyport
