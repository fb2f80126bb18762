// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/attachment.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

Request request()
{
    Request request;
    request.command = Command::add;
    request.attachment = {"c1", "eth0"};
    request.netns = "/run/netns/1";
    request.pod_namespace = "kong";
    request.pod_name = "kong-7d9f";
    return request;
}

AssignedAddress assigned(const char* text, std::optional<std::size_t> interface = std::nullopt)
{
    return {*Address::parse(text), interface};
}

Attachment resolve(std::vector<Interface> interfaces, std::vector<AssignedAddress> ips)
{
    return resolve_attachment(request(), "cilium", {std::move(interfaces), std::move(ips)});
}

const std::vector<Interface> cilium = {{"lxc1f", ""}, {"eth0", "/run/netns/1"}};

}  // namespace

TEST_CASE("the attachment says whose it is")
{
    const Attachment pod = resolve(cilium, {assigned("10.0.1.7", 1)});
    CHECK(pod.id == AttachmentId{"c1", "eth0"});
    CHECK(pod.network == "cilium");
    CHECK(pod.pod_namespace == "kong");
    CHECK(pod.pod_name == "kong-7d9f");
    CHECK(pod.netns == "/run/netns/1");
    CHECK(pod.pod() == "kong/kong-7d9f");

    Attachment nameless = pod;
    nameless.pod_namespace.clear();
    nameless.pod_name.clear();
    CHECK(nameless.pod() == "c1");
}

TEST_CASE("what was objected to in the request is refused now")
{
    Request odd = request();
    odd.objection = "CNI_ARGS has \"junk\" at column 1; expected KEY=VALUE";
    require_refusal([&] { resolve_attachment(odd, "cilium", {cilium, {assigned("10.0.1.7", 1)}}); },
                    Code::invalid_environment, {"CNI_ARGS has \"junk\""});
}

TEST_CASE("addresses are the pod interface's, the first of each family, IPv6 first or not")
{
    const Attachment pod = resolve({{"eth0", ""}, {"net1", "/run/netns/1"}, {"eth0", "/run/netns/1"}},
                                   {assigned("fd00::1", 1), assigned("10.0.0.1", 0), assigned("fd00::7", 2),
                                    assigned("10.0.1.7", 2), assigned("10.0.1.8", 2), assigned("fd00::8", 2)});
    CHECK(pod.v4 == Address::parse("10.0.1.7"));
    CHECK(pod.v6 == Address::parse("fd00::7"));
}

TEST_CASE("one family is enough")
{
    CHECK_FALSE(resolve(cilium, {assigned("10.0.1.7", 1)}).v6);
    CHECK_FALSE(resolve(cilium, {assigned("fd00::7", 1)}).v4);
}

TEST_CASE("where no address names an interface, all are the pod's")
{
    const Attachment pod = resolve(cilium, {assigned("fd00::7"), assigned("10.0.1.7")});
    CHECK(pod.v4 == Address::parse("10.0.1.7"));
    CHECK(pod.v6 == Address::parse("fd00::7"));
    CHECK_FALSE(resolve(cilium, {assigned("fd00::7"), assigned("10.0.1.7", 1)}).v6);
}

TEST_CASE("of several interfaces of the name, the one in our namespace")
{
    CHECK(resolve({{"eth0", "/run/netns/0"}, {"eth0", "/run/netns/1"}},
                  {assigned("10.0.0.1", 0), assigned("10.0.0.2", 1)})
              .v4 == Address::parse("10.0.0.2"));
    require_refusal([] { resolve({{"eth0", "/a"}, {"eth0", "/b"}}, {assigned("10.0.0.1", 0)}); },
                    Code::invalid_network_config, {"more than one interface \"eth0\"", "\"/run/netns/1\""});
}

TEST_CASE("the namespace's path may be spelled otherwise")
{
    CHECK(resolve({{"eth0", "/var/run/netns/1"}}, {assigned("10.0.1.7", 0)}).v4 == Address::parse("10.0.1.7"));
}

TEST_CASE("device and namespace are the call's own, whatever shape the primary's result has")
{
    // Each as its plugin writes it.
    const std::vector<std::pair<const char*, PrevResult>> results{
        {"older Calico: the host's end alone, addresses without index",
         {{{"cali1f2e3d", ""}}, {assigned("10.0.1.7"), assigned("fd00::7")}}},
        {"Calico: the host's end, under the pod's sandbox",
         {{{"cali1f2e3d", "/run/netns/1"}}, {assigned("10.0.1.7"), assigned("fd00::7")}}},
        {"the same, with the addresses there",
         {{{"cali1f2e3d", "/run/netns/1"}}, {assigned("10.0.1.7", 0), assigned("fd00::7", 0)}}},
        {"older aws-cni: no interfaces", {{}, {assigned("10.0.1.7"), assigned("fd00::7")}}},
        {"azure-vnet: the pod's device without a sandbox",
         {{{"eth0", ""}}, {assigned("10.0.1.7", 0), assigned("fd00::7", 0)}}},
        {"the pod's device without a sandbox, after the host's with an address of its own",
         {{{"azv12", ""}, {"eth0", ""}},
          {assigned("169.254.1.1", 0), assigned("10.0.1.7", 1), assigned("fd00::7", 1)}}},
        {"the host's device of the same name, without an address",
         {{{"eth0", ""}, {"cali1f2e3d", "/run/netns/1"}}, {assigned("10.0.1.7", 1), assigned("fd00::7", 1)}}},
        {"an index beyond the interfaces", {{}, {assigned("10.0.1.7", 0), assigned("fd00::7", 0)}}},
    };
    for (const auto& [shape, result] : results) {
        CAPTURE(shape);
        const Attachment pod = resolve(result.interfaces, result.ips);
        CHECK(pod.id == AttachmentId{"c1", "eth0"});
        CHECK(pod.netns == "/run/netns/1");
        CHECK(pod.v4 == Address::parse("10.0.1.7"));
        CHECK(pod.v6 == Address::parse("fd00::7"));
    }
}

TEST_CASE("a result without the pod's address is refused")
{
    for (const std::vector<AssignedAddress>& ips :
         {std::vector<AssignedAddress>{}, {assigned("10.0.1.7", 0)}, {assigned("10.0.1.7", 9)}})
        require_refusal([&] { resolve(cilium, ips); }, Code::invalid_network_config,
                        {"no IP address for the pod's interface \"eth0\""});
}
