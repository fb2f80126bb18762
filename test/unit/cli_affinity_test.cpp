// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/anti_affinity.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;

namespace {

std::string patch_for(const std::string& expose, const std::optional<Workload>& workload = std::nullopt)
{
    return anti_affinity_patch(parse_wishes({{"sallyport.dev/expose", expose}}, {}).expose, "apisix", workload);
}

}  // namespace

TEST_CASE("a node port is a label, and an anti-affinity to other namespaces' pods that bear it", "[cli]")
{
    CHECK(patch_for("80:9080") ==
          R"(spec:
  template:
    metadata:
      labels:
        sallyport.dev/node-port-80: "apisix"
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              namespaceSelector: {}
              labelSelector:
                matchExpressions:
                  - { key: sallyport.dev/node-port-80, operator: Exists }
                  - { key: sallyport.dev/node-port-80, operator: NotIn, values: ["apisix"] }
)");
}

TEST_CASE("a node port stands in the anti-affinity once; TCP's and UDP's are two", "[cli]")
{
    const std::string patch = patch_for("443:9443/udp, 443:9443, 192.0.2.1:443:9444");
    CHECK(patch.find("labels:\n        sallyport.dev/node-port-443: \"apisix\"\n"
                     "        sallyport.dev/node-port-443-udp: \"apisix\"\n    spec:") != std::string::npos);
    std::size_t terms = 0;
    for (auto at = patch.find("- topologyKey"); at != std::string::npos; at = patch.find("- topologyKey", at + 1))
        terms++;
    CHECK(terms == 2);
}

TEST_CASE("with a workload it is a patch that names it", "[cli]")
{
    const std::string patch = patch_for("80:9080", parse_workload("daemonset/apisix.eu"));
    CHECK(patch.starts_with("apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: \"apisix.eu\"\n"
                            "  namespace: \"apisix\"\nspec:\n  template:\n"));
}

TEST_CASE("names of workloads and namespaces are those that Kubernetes takes", "[cli]")
{
    for (const char* wrong :
         {"", "apisix", "Pod/apisix", "Deployment/", "Deployment/-a", "Deployment/A", "Deployment/a\nb"})
        CHECK_FALSE(parse_workload(wrong));
    CHECK(parse_workload("statefulset/a")->kind == "StatefulSet");
    for (const char* wrong : {"", "a.b", "A", "a-", "a b", "a\n"})
        CHECK_FALSE(is_namespace_name(wrong));
    CHECK(is_namespace_name("a-1"));
    CHECK(is_namespace_name(std::string(63, 'a')));
    CHECK_FALSE(is_namespace_name(std::string(64, 'a')));
}
