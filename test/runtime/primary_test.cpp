// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods of a real containerd behind other primary plugins than ptp: flannel's, with the real bridge behind it, and
// Calico's, played by calico.py. They connect pods in other ways, and say other things of them.
#include "containerd.hpp"
#include "heard.hpp"
#include "primary.hpp"

#include "support/content.hpp"
#include "support/footprint.hpp"
#include "support/places.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

using namespace sallyport;
using namespace sallyport::test;

namespace {

const PodRequest exposed{.annotations = {{"sallyport.dev/expose", "80:9080, 443:9080/udp"}}};

void check_served_outside(const Node& node, const std::string& name)
{
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        CAPTURE(address);
        const std::string answer = name + ' ' + own;
        CHECK(from_outside(node, {address, 80}, answer) == answer);
        CHECK(ask_udp(node.client, {address, 443}).starts_with(answer));
    }
}

std::string from_pod(const LocalNode& node, const Sandbox& pod, const std::string& address, const std::string& name)
{
    const Stay as_process(node.cgroup, processes);
    return heard(name, [&] {
        const Output output =
            execute({.argv = {"nsenter", "--net=" + pod.netns, runtime_gateway(), "ask", address, "80"}});
        return name_in(output.out);
    });
}

/// As the runtime keeps it.
Json result_of(const Node& node, const std::string& id)
{
    return Json::parse(content("/var/lib/cni/results/" + node.network + '-' + id + "-eth0")).at("result");
}

/// containerd asks for none.
Answer check(const Node& node, const PrimaryPlugin& primary, const Sandbox& pod)
{
    const Json runtime_values{{"io.kubernetes.cri.pod-annotations", pod.annotations}};
    const Json list = list_of_pods(node, primary, node.plugin);
    return call_plugin(sallyport_binary(),
                       {.command = "CHECK",
                        .container_id = pod.id,
                        .netns = pod.netns,
                        .args = "K8S_POD_NAMESPACE=gateways;K8S_POD_NAME=gateway",
                        .stdin_text = plugin_config(list, node.plugin, runtime_values, result_of(node, pod.id)).dump()},
                       node.host);
}

void check_all_gone(const LocalNode& node, const PrimaryPlugin& primary)
{
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
    const std::string devices =
        must_execute({.argv = {"ip", "-brief", "link", "show", "type", "veth"}, .netns = &node.host});
    CHECK(std::ranges::count(devices, '\n') == 1);  // the node's own eth0
    for (const auto& lease : std::filesystem::directory_iterator(primary.leases))
        CHECK_FALSE(lease.path().filename().string().starts_with("10."));
}

/// A pod from before us, then one through the chain, beside a plain one. `check_result` looks at what the runtime has
/// got of the second one.
template <typename CheckResult>
void check_life(LocalNode& node, const PrimaryPlugin& primary, CheckResult check_result)
{
    const Containerd containerd(node, false, primary);
    const std::string earlier = containerd.run({.name = "earlier", .annotations = exposed.annotations});
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    containerd.set_chain(true);
    const auto adopted = containerd.adopt();
    REQUIRE(adopted.size() == 1);
    INFO(adopted[0].text);
    CHECK(adopted[0].outcome == AdoptionResult::Outcome::adopted);
    check_served_outside(node, "earlier");
    containerd.stop(earlier);
    containerd.remove(earlier);
    check_all_gone(node, primary);

    const std::string plain = containerd.run({.name = "plain", .annotations = {}});
    CHECK(node.footprint() == nothing);
    const std::string id = containerd.run(exposed);
    INFO(containerd.log() << content(node.log_file()));
    check_served_outside(node, "gateway");
    for (const std::string& address : {node_v4, node_v6}) {
        CAPTURE(address);
        CHECK(from_node(node, {address, 80}, "gateway") == "gateway");
        for (const std::string& pod : {plain, id})
            CHECK(from_pod(node, containerd.client().inspect(pod), address, "gateway") == "gateway");
    }
    const Sandbox pod = containerd.client().inspect(id);
    check_result(result_of(node, id), pod);
    if (primary.list_version != "0.3.1")
        CHECK(check(node, primary, pod).out.empty());

    containerd.stop(id);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    containerd.remove(id);
    containerd.stop(plain);
    containerd.remove(plain);
    check_all_gone(node, primary);
}

}  // namespace

TEST_CASE("pods behind flannel, in whose bridge they are, are served", "[runtime][primary]")
{
    LocalNode node;
    check_life(node, flannel(node), [](const Json& result, const Sandbox& pod) {
        REQUIRE(result["interfaces"].size() == 3);
        CHECK(result["interfaces"][0]["name"] == "cni0");
        CHECK(result["interfaces"][2]["name"] == "eth0");
        CHECK(result["interfaces"][2]["sandbox"] == pod.netns);
        REQUIRE(result["ips"].size() == 2);
        for (const Json& ip : result["ips"])
            CHECK(ip["interface"] == 2);
    });
}

TEST_CASE("pods behind Calico, whose result names no device of theirs, are served", "[runtime][primary]")
{
    LocalNode node;
    const bool older = GENERATE(true, false);
    CAPTURE(older);
    const PrimaryPlugin primary = calico(node, older ? "0.3.1" : "1.0.0", older);
    check_life(node, primary, [&](Json result, const Sandbox& pod) {
        Json interface{{"name", "calia3cabcaa42b"}};
        if (!older) {
            CHECK(result["interfaces"][0].erase("mac") == 1);
            interface["sandbox"] = pod.netns;
        }
        Json expected{{"cniVersion", primary.list_version}, {"interfaces", {interface}}, {"dns", Json::object()}};
        for (const std::string& address : pod.addresses) {
            const bool v6 = address.find(':') != std::string::npos;
            Json ip{{"address", address + (v6 ? "/128" : "/32")}};
            if (older)
                ip["version"] = v6 ? "6" : "4";
            expected["ips"].push_back(ip);
        }
        CHECK(result == expected);
    });
}
