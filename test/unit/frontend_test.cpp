// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What Cilium serves already, and who may take it over.
#include "sallyport/frontend.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

const Answered frontend_answered{.own = {*Address::parse("192.0.2.7")},
                                 .configured = {*Prefix::parse("198.51.100.0/24"), *Prefix::parse("203.0.113.10")}};

NodePort at(const char* address, std::uint16_t port, Protocol protocol = Protocol::tcp)
{
    return {*Address::parse(address), HostPort{port}, protocol};
}

Backend pod_at(const char* address)
{
    return {*Address::parse(address), PodPort{8080}, Protocol::tcp};
}

Attachment frontend_pod()
{
    Attachment pod;
    pod.pod_namespace = "gateways";
    pod.v4 = Address::parse("10.0.0.1");
    return pod;
}

const std::map<std::string, PodName> pod_names{{"10.0.0.2", {"gateways", "older"}}, {"10.0.0.3", {"others", "web"}}};

std::optional<PodName> name_of(const Address& address)
{
    const auto found = pod_names.find(address.to_string());
    return found == pod_names.end() ? std::nullopt : std::optional(found->second);
}

void claim(std::uint16_t port, const Frontend& frontend)
{
    refuse_takeover({{at("0.0.0.0", port), {}}}, {frontend}, frontend_answered, frontend_pod(), name_of);
}

}  // namespace

TEST_CASE("a frontend is taken over where it is answered here", "[frontend]")
{
    const auto taken_over = [](const NodePort& frontend, const NodePort& node_port) {
        return is_taken_over({.at = frontend}, node_port, frontend_answered);
    };
    CHECK(taken_over(at("192.0.2.7", 443), at("0.0.0.0", 443)));
    CHECK(taken_over(at("198.51.100.20", 443), at("0.0.0.0", 443)));
    CHECK(taken_over(at("0.0.0.0", 443), at("0.0.0.0", 443)));  // a NodePort's
    CHECK(taken_over(at("127.0.0.1", 443), at("0.0.0.0", 443)));
    CHECK(taken_over(at("192.0.2.7", 443), at("192.0.2.7", 443)));
    CHECK(taken_over(at("198.51.100.20", 0), at("0.0.0.0", 443)));  // the whole address
    CHECK_FALSE(taken_over(at("10.96.0.1", 443), at("0.0.0.0", 443)));
    CHECK_FALSE(taken_over(at("10.96.0.1", 0), at("0.0.0.0", 443)));
    CHECK_FALSE(taken_over(at("192.0.2.7", 80), at("0.0.0.0", 443)));
    CHECK_FALSE(taken_over(at("192.0.2.7", 443, Protocol::udp), at("0.0.0.0", 443)));
    CHECK_FALSE(taken_over(at("192.0.2.7", 443), at("198.51.100.20", 443)));
    CHECK_FALSE(taken_over(at("192.0.2.7", 443), at("::", 443)));
}

TEST_CASE("what Cilium serves for another namespace's pod isn't taken over, and the pod is named", "[frontend]")
{
    const Frontend host_port{at("192.0.2.7", 443), Frontend::Kind::host_port, {pod_at("10.0.0.3")}};
    require_refusal([&] { claim(443, host_port); }, Code::port_taken,
                    {"node port 0.0.0.0:443/tcp is taken", "192.0.2.7:443/tcp, a hostPort", "others/web",
                     "10.0.0.3:8080", "remove that pod's hostPort"});
    CHECK_NOTHROW(claim(80, host_port));
    const Frontend unknown{at("192.0.2.7", 443), Frontend::Kind::host_port, {pod_at("10.0.0.9")}};
    require_refusal([&] { claim(443, unknown); }, Code::port_taken, {"the pod at 10.0.0.9:8080", "kubectl get pods"});
    const Frontend service{at("0.0.0.0", 443), Frontend::Kind::node_port, {pod_at("10.0.0.9"), pod_at("10.0.0.3")}};
    require_refusal([&] { claim(443, service); }, Code::port_taken, {"a NodePort", "others/web", "out of the Service"});
    const Frontend balanced{at("198.51.100.20", 443), Frontend::Kind::load_balancer, {pod_at("10.0.0.9")}};
    require_refusal([&] { claim(443, balanced); }, Code::port_taken,
                    {"a LoadBalancer's address", "\"!198.51.100.20\""});
}

TEST_CASE("what Cilium serves for this pod, its namespace or nobody is no obstacle", "[frontend]")
{
    for (const auto kind : {Frontend::Kind::host_port, Frontend::Kind::node_port, Frontend::Kind::load_balancer}) {
        CHECK_NOTHROW(claim(443, {at("192.0.2.7", 443), kind, {pod_at("10.0.0.1")}}));
        CHECK_NOTHROW(claim(443, {at("192.0.2.7", 443), kind, {pod_at("10.0.0.9"), pod_at("10.0.0.2")}}));
        CHECK_NOTHROW(claim(443, {at("192.0.2.7", 443), kind, {}}));
        CHECK_NOTHROW(claim(443, {at("10.96.0.1", 443), kind, {pod_at("10.0.0.3")}}));
    }
}

TEST_CASE("a Service may have the VIP that `addresses` names, as long as nobody else is known to serve there",
          "[frontend]")
{
    const auto service = [](const char* backend) {
        return Frontend{at("203.0.113.10", 443), Frontend::Kind::load_balancer, {pod_at(backend)}};
    };
    CHECK_NOTHROW(claim(443, service("10.0.7.9")));  // a pod of another node
    require_refusal([&] { claim(443, service("10.0.0.3")); }, Code::port_taken, {"others/web"});
}
