// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/runtime_config.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

Config read_values(const std::string& runtime_config)
{
    return parse_config(R"({"cniVersion": "1.0.0", "name": "n", "runtimeConfig": )" + runtime_config + "}");
}

std::vector<PortMapping> mappings(const std::string& elements)
{
    return read_values(R"({"portMappings": [)" + elements + "]}").port_mappings;
}

}  // namespace

TEST_CASE("the pod's annotations are read, all of them")
{
    const Config config =
        read_values(R"({"io.kubernetes.cri.pod-annotations": {"sallyport.dev/expose": "80:9080", "other": ""}})");
    CHECK(config.annotations == std::map<std::string, std::string>{{"other", ""}, {"sallyport.dev/expose", "80:9080"}});
}

TEST_CASE("a pod without annotations has them missing, null or empty")
{
    const std::string text =
        GENERATE("{}", "null", R"({"io.kubernetes.cri.pod-annotations": null, "portMappings": null})",
                 R"({"io.kubernetes.cri.pod-annotations": {}, "portMappings": []})", R"({"bandwidth": 1})");
    CHECK(read_values(text).annotations.empty());
    CHECK(read_values(text).port_mappings.empty());
}

TEST_CASE("port mappings are read as libcni and as containerd spell them")
{
    CHECK(mappings(R"({"hostPort": 80, "containerPort": 9080, "protocol": "tcp"})") ==
          std::vector<PortMapping>{{std::nullopt, HostPort{80}, PodPort{9080}, Protocol::tcp}});
    CHECK(mappings(R"({"HostPort": 443, "ContainerPort": 9443, "Protocol": "UDP", "HostIP": "192.0.2.7"})") ==
          std::vector<PortMapping>{{Address::parse("192.0.2.7"), HostPort{443}, PodPort{9443}, Protocol::udp}});
    CHECK(mappings(R"({"hostPort": 1, "containerPort": 65535, "hostIP": "", "protocol": ""},
                      {"hostPort": 65535, "containerPort": 1, "hostip": "fd00::1", "unknown": {}})") ==
          std::vector<PortMapping>{{std::nullopt, HostPort{1}, PodPort{65535}, Protocol::tcp},
                                   {Address::parse("fd00::1"), HostPort{65535}, PodPort{1}, Protocol::tcp}});
}

TEST_CASE("a port without a host port is none of our business")
{
    CHECK(
        mappings(
            R"({"hostPort": 0, "containerPort": 9080, "protocol": "SCTP"}, {"containerPort": 1}, {}, {"hostPort": null})")
            .empty());
}

TEST_CASE("a malformed runtimeConfig is refused with its pointer")
{
    struct Case
    {
        std::string text, is, expected;
    };
    const auto [text, is, expected] = GENERATE(
        Case{R"({"io.kubernetes.cri.pod-annotations": []})",
             "/runtimeConfig/io.kubernetes.cri.pod-annotations is a list", "an object"},
        Case{R"({"io.kubernetes.cri.pod-annotations": {"a/b": 1}})",
             "/runtimeConfig/io.kubernetes.cri.pod-annotations/a~1b is 1", "a string"},
        Case{R"({"portMappings": {}})", "/runtimeConfig/portMappings is an object", "a list"},
        Case{R"({"portMappings": [80]})", "/runtimeConfig/portMappings/0 is 80", "an object"},
        Case{R"({"portMappings": [{}, {"hostPort": 65536, "containerPort": 1}]})",
             "/runtimeConfig/portMappings/1/hostPort is 65536", "0 to 65535"},
        Case{R"({"portMappings": [{"hostPort": -1, "containerPort": 1}]})", "/hostPort is -1", "0 to 65535"},
        Case{R"({"portMappings": [{"hostPort": "80", "containerPort": 1}]})", "/hostPort is \"80\"", "0 to 65535"},
        Case{R"({"portMappings": [{"hostPort": 80}]})", "/portMappings/0 is an object", "a containerPort"},
        Case{R"({"portMappings": [{"hostPort": 80, "containerPort": 0}]})", "/containerPort is 0", "1 to 65535"},
        Case{R"({"portMappings": [{"hostPort": 80, "containerPort": 65536}]})", "/containerPort is 65536",
             "1 to 65535"},
        Case{R"({"portMappings": [{"hostPort": 80, "containerPort": 1, "protocol": "SCTP"}]})", "/protocol is \"SCTP\"",
             "checksum (CRC32c) covers the ports"},
        Case{R"({"portMappings": [{"hostPort": 80, "containerPort": 1, "protocol": "quic"}]})", "/protocol is \"quic\"",
             "tcp or udp"},
        Case{R"({"portMappings": [{"hostPort": 80, "containerPort": 1, "protocol": 6}]})", "/protocol is 6",
             "a string"},
        Case{R"({"portMappings": [{"hostPort": 80, "containerPort": 1, "hostIP": "node"}]})", "/hostIP is \"node\"",
             "an IP address"},
        Case{R"({"portMappings": [{"hostPort": 80, "HostPort": 81, "containerPort": 1}]})", "/hostPort is 80",
             "one hostPort, but /runtimeConfig/portMappings/0/HostPort"});
    INFO(text);
    require_refusal([&, input = text] { read_values(input); }, Code::invalid_network_config, {is, expected});
}
