// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/error.hpp"
#include "sallyport/exposure.hpp"
#include "sallyport/kubernetes.hpp"

#include <system_error>

namespace sallyport {

namespace {

[[noreturn]] void refuse(const std::string& what)
{
    throw Error(Code::invalid_environment, "follow this node's pods in Kubernetes: " + what);
}

}  // namespace

std::optional<Cluster> in_cluster(const GetEnv& getenv, const std::filesystem::path& service_account)
{
    Cluster cluster;
    cluster.token = service_account / "token";
    cluster.authorities = service_account / "ca.crt";
    std::error_code ignored;
    if (!std::filesystem::exists(cluster.token, ignored))
        return std::nullopt;
    cluster.host = getenv("KUBERNETES_SERVICE_HOST").value_or("");
    if (!Address::parse(cluster.host))
        refuse("KUBERNETES_SERVICE_HOST is " + in_quotes(cluster.host) +
               ", where an IP address must be: names aren't looked up here");
    const std::string port = getenv("KUBERNETES_SERVICE_PORT").value_or("443");
    const auto number = parse_port(port);
    if (!number)
        refuse("KUBERNETES_SERVICE_PORT is " + in_quotes(port) + ", which is no port");
    cluster.port = *number;
    cluster.node = getenv("NODE_NAME").value_or("");
    if (cluster.node.empty())
        refuse("NODE_NAME isn't set; the pod's manifest gives it by fieldRef: spec.nodeName");
    return cluster;
}

}  // namespace sallyport
