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

    std::string text() const
    {
        const std::string at = backend.to_string();
        return name ? name->pod_namespace + "/" + name->name + " (" + at + ")"
                    : "the pod at " + at + " (`kubectl get pods -A -o wide` names it)";
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

std::string way_out(const Frontend& frontend)
{
    if (frontend.kind == Frontend::Kind::host_port)
        return "remove that pod's hostPort";
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
    return overlap(at, node_port) &&
           (at.address.is_any() || at.address.is_localhost() || answered.contains(at.address));
}

void refuse_takeover(const std::vector<Exposure>& wanted, const std::vector<Frontend>& frontends,
                     const Answered& answered, const Attachment& pod, const NameOfPod& name_of)
{
    for (const Frontend& frontend : frontends)
        for (const Exposure& exposure : wanted) {
            if (!is_taken_over(frontend, exposure.node_port, answered))
                continue;
            const auto served = find_other(frontend, pod, name_of);
            const bool by_order = frontend.kind != Frontend::Kind::host_port && is_named(frontend.at.address, answered);
            if (served && (served->name || !by_order))
                throw Error(Code::port_taken, "node port " + exposure.node_port.to_string() +
                                                  " is taken: Cilium serves " + frontend.at.to_string() + ", " +
                                                  std::string(name(frontend.kind)) + ", for " + served->text() + "; " +
                                                  way_out(frontend) +
                                                  ", choose another port, or set `reservePorts` to false");
        }
}

}  // namespace sallyport
