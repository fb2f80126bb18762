// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/frontend.hpp"

#include "sallyport/error.hpp"

#include <algorithm>

namespace sallyport {

namespace {

/// Somebody who is served at a frontend.
struct Served
{
    Backend backend;
    std::optional<PodName> name;

    std::string text(Frontend::Kind kind) const
    {
        const std::string at = backend.to_string();
        if (name)
            return name->pod_namespace + "/" + name->name + " (" + at + ")";
        if (backend.address.is_any())
            return "the node's own port " + std::to_string(number(backend.port));
        if (kind == Frontend::Kind::published)
            return "the container at " + at;
        return kind == Frontend::Kind::rule ? at : "the pod at " + at + " (`kubectl get pods -A -o wide` names it)";
    }
};

/// Whom this pod would take the frontend from; nullopt: nobody, or its own namespace.
std::optional<Served> find_other(const Frontend& frontend, const Attachment& pod, const NameOfPod& name_of)
{
    std::optional<Served> served;
    for (const Backend& backend : frontend.backends) {
        if (backend.address == pod.v4 || backend.address == pod.v6)
            return std::nullopt;
        auto name = name_of(backend.address);
        if (name && name->pod_namespace == pod.pod_namespace)
            return std::nullopt;
        if (!served || (!served->name && name))
            served = {backend, std::move(name)};
    }
    return served;
}

bool is_named(const Address& address, const Answered& answered)
{
    return std::ranges::find(answered.configured, Prefix{address, 128}) != answered.configured.end();
}

/// Does it stand at an address that the operator has given to gateways?
bool is_by_order(const Frontend& frontend, const Answered& answered)
{
    return frontend.kind != Frontend::Kind::host_port && is_named(frontend.at.address, answered);
}

std::string way_out(const Frontend& frontend)
{
    if (frontend.kind == Frontend::Kind::host_port)
        return "remove that pod's hostPort";
    if (frontend.kind == Frontend::Kind::published)
        return "end that container, or publish another port for it";
    if (frontend.kind == Frontend::Kind::rule)
        return "remove that rule";
    const std::string take_away = "take that port out of the Service";
    return frontend.kind == Frontend::Kind::node_port
               ? take_away
               : take_away + ", leave it the address by \"!" + frontend.at.address.to_string() + "\" in `addresses`";
}

}  // namespace

std::string_view name(Frontend::Kind kind)
{
    switch (kind) {
    case Frontend::Kind::host_port:
        return "a hostPort";
    case Frontend::Kind::node_port:
        return "a NodePort";
    case Frontend::Kind::load_balancer:
        return "a LoadBalancer's address";
    case Frontend::Kind::external_ip:
        return "an external IP";
    case Frontend::Kind::published:
        return "a container's published port";
    case Frontend::Kind::rule:
        return "by a rule";
    case Frontend::Kind::service:
        break;
    }
    return "a Service";
}

bool is_taken_over(const Frontend& frontend, const NodePort& node_port, const Answered& answered)
{
    NodePort at = frontend.at;
    if (number(at.port) == 0)
        at.port = node_port.port;
    return overlap(at, node_port) && (at.address.is_any() || is_reached_at(at.address, answered));
}

bool is_reached_at(const Address& address, const Answered& answered)
{
    return address.is_localhost() || answered.contains(address);
}

std::string Frontend::to_string() const
{
    return by + " serves " + at.to_string() + ", " + std::string(name(kind));
}

bool is_for_others(const Frontend& frontend, const std::set<Address>& pods, const Answered& answered)
{
    return !frontend.backends.empty() && !is_by_order(frontend, answered) &&
           std::ranges::none_of(frontend.backends,
                                [&](const Backend& backend) { return pods.contains(backend.address); });
}

void refuse_takeover(const std::vector<Exposure>& wanted, const std::vector<Frontend>& frontends,
                     const Answered& answered, const Attachment& pod, const NameOfPod& name_of)
{
    for (const Frontend& frontend : frontends)
        for (const Exposure& exposure : wanted) {
            if (!is_taken_over(frontend, exposure.node_port, answered))
                continue;
            const auto served = find_other(frontend, pod, name_of);
            if (served && (served->name || !is_by_order(frontend, answered)))
                throw Error(Code::port_taken, "node port " + exposure.node_port.to_string() +
                                                  " is taken: " + frontend.to_string() + ", for " +
                                                  served->text(frontend.kind) + "; " + way_out(frontend) +
                                                  ", choose another port, or set `reservePorts` to false");
        }
}

}  // namespace sallyport
