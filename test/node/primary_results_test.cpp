// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The pod's device and namespace are those of the call, whatever shape the primary plugin's result has: each as its
// plugin writes it, served, checked and taken down.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

using namespace sallyport::test;

namespace {

struct Shape
{
    std::string plugin;
    Json (*interfaces)(const std::string& netns);  ///< null: the result has none
    bool indexed = false;                          ///< addresses name interface 0
};

const std::vector<Shape> shapes{
    {"Calico, older", [](const std::string&) { return Json{{{"name", "cali1f2e3d4c5b6"}}}; }},
    {"Calico", [](const std::string& netns) { return Json{{{"name", "cali1f2e3d4c5b6"}, {"sandbox", netns}}}; }},
    {"Calico, with indexed addresses",
     [](const std::string& netns) { return Json{{{"name", "cali1f2e3d4c5b6"}, {"sandbox", netns}}}; }, true},
    {"aws-cni, older", nullptr},
    {"azure-vnet, without indexes", [](const std::string&) { return Json{{{"name", "eth0"}}}; }},
    {"azure-vnet", [](const std::string&) { return Json{{{"name", "eth0"}}}; }, true},
};

void reshape(Pod& pod, const Shape& shape)
{
    Json& result = pod.primary_result;
    if (shape.interfaces)
        result["interfaces"] = shape.interfaces(pod.netns.path().string());
    else
        result.erase("interfaces");
    for (Json& ip : result["ips"]) {
        ip.erase("interface");
        if (shape.indexed)
            ip["interface"] = 0;
    }
}

}  // namespace

TEST_CASE("a primary plugin's result of any shape", "[primary]")
{
    const Shape shape = GENERATE(Catch::Generators::from_range(shapes));
    CAPTURE(shape.plugin);
    Node node;
    node.cni_version = GENERATE("0.3.1", "1.0.0");
    Pod pod(node, {.expose = "80:9080, 443:9080/udp", .annotations = {{"sallyport.dev/remap", "8443:9080"}}});
    reshape(pod, shape);
    const Answer answer = pod.add();
    require_ok(answer);
    CHECK(answer.json() == pod.primary_result);
    {
        const TcpServer tcp(pod.netns, "gateway", {"::", 9080});
        const UdpServer udp(pod.netns, "gateway", {"::", 9080});
        check_serves(node);
        for (const std::string& address : {pod.v4, pod.v6})
            CHECK(ask_tcp(node.client, {address, 8443}).starts_with("gateway "));
        if (node.cni_version != "0.3.1")
            CHECK(pod.check().status == 0);
    }
    require_ok(pod.del());
    CHECK(node.settled_footprint() == nothing);
}
