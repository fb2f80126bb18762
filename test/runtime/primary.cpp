// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "primary.hpp"

#include "support/places.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

fs::path of_the_cni_project(const std::string& name)
{
    return "/usr/lib/cni/" + name;
}

Json host_local(const Node& node)
{
    return {{"type", "host-local"},
            {"dataDir", (node.directory() / "host-local").string()},
            {"ranges", {{{{"subnet", "10.2.0.0/22"}}}, {{{"subnet", "fd00:10:2::/64"}}}}}};
}

}  // namespace

PrimaryPlugin ptp(const Node& node, const std::string& list_version)
{
    Json ipam = host_local(node);
    ipam["routes"] = {{{"dst", "0.0.0.0/0"}}, {{"dst", "::/0"}}};
    return {list_version,
            {{"type", "ptp"}, {"ipMasq", false}, {"ipam", ipam}},
            {{"ptp", of_the_cni_project("ptp")}},
            node.directory() / "host-local" / node.network};
}

PrimaryPlugin flannel(const Node& node)
{
    const fs::path program = std::string(SALLYPORT_DEPS) + "/flannel/flannel";
    if (!fs::exists(program))
        SKIP("no flannel: .ci/setup-tests builds it where a Go proxy can be reached");
    fs::create_directories("/run/flannel");
    std::ofstream("/run/flannel/subnet.env")
        << "FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=10.2.1.1/24\n"
           "FLANNEL_IPV6_NETWORK=fd00:10:2::/48\nFLANNEL_IPV6_SUBNET=fd00:10:2:1::1/64\n"
           "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
    return {"0.3.1",
            {{"type", "flannel"}, {"delegate", {{"hairpinMode", true}, {"isDefaultGateway", true}}}},
            {{"flannel", program}, {"bridge", of_the_cni_project("bridge")}},
            "/var/lib/cni/networks/" + node.network};
}

PrimaryPlugin calico(const Node& node, const std::string& list_version, bool older_result)
{
    Json entry{{"type", "calico"}, {"ipam", host_local(node)}};
    if (older_result)
        entry["older"] = true;
    return {list_version,
            entry,
            {{"calico", source_directory() + "/test/runtime/calico.py"}},
            node.directory() / "host-local" / node.network};
}

Json list_of_pods(const Node& node, const PrimaryPlugin& primary, const Json& ours)
{
    Json list{{"cniVersion", primary.list_version}, {"name", node.network}, {"plugins", {primary.entry}}};
    if (!ours.is_null())
        list["plugins"].push_back(ours);
    return list;
}

}  // namespace sallyport::test
