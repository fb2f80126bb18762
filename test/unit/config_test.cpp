// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/config.hpp"

#include "sallyport/cni/valid_attachments.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

/// A configuration with further members.
std::string with(const std::string& members)
{
    return R"({"cniVersion": "1.0.0", "name": "cilium", "type": "sallyport")" +
           (members.empty() ? "" : ", " + members) + "}";
}

}  // namespace

TEST_CASE("a configuration that says nothing has the contract's defaults")
{
    const Config config = parse_config(with(""));
    CHECK(config.cni_version == "1.0.0");
    CHECK(config.network == "cilium");
    CHECK(config.gateways.namespaces.empty());
    CHECK(config.gateways.ports == std::vector<PortRange>{{80, 80}, {443, 443}});
    CHECK(config.addresses.empty());
    CHECK_FALSE(config.devices);
    CHECK(config.local_access);
    CHECK(config.reserve_ports);
    CHECK_FALSE(config.fast_path);
    CHECK(config.flows.fresh == 262144);
    CHECK(config.flows.established == 131072);
    CHECK(config.flows.answered == 65536);
    CHECK(config.paths.bpffs == "/sys/fs/bpf");
    CHECK(config.paths.cgroup == "/sys/fs/cgroup");
    CHECK(config.paths.state_dir == "/run/sallyport");
    CHECK(config.log.file == "/var/log/sallyport.log");
    CHECK(config.log.level == "info");
    CHECK(config.annotations.empty());
    CHECK(config.port_mappings.empty());
    CHECK_FALSE(config.prev_result);
}

TEST_CASE("every key of the contract is read")
{
    const Config config = parse_config(with(R"(
        "capabilities": {"io.kubernetes.cri.pod-annotations": true},
        "gateways": {"namespaces": ["apisix", "kong"], "ports": [80, 443, "8000-8999", "53"]},
        "addresses": ["192.168.1.100/32", "2001:db8::/64", "192.0.2.7", "!192.168.1.50", "!::/0"],
        "devices": ["eth0", "bond*"],
        "localAccess": false, "reservePorts": false, "fastPath": true,
        "flows": {"new": 1024, "established": 16777216, "answered": 2048},
        "bpffs": "/b", "cgroup": "/c", "stateDir": "/s", "logFile": "/l", "logLevel": "debug",
        "cni.dev/anything": 1, "ipam": {}, "dns": {}, "args": {}, "disableCheck": true, "disableGC": false, "ipMasq": false)"));
    CHECK(config.gateways.namespaces == std::vector<std::string>{"apisix", "kong"});
    CHECK(config.gateways.ports == std::vector<PortRange>{{80, 80}, {443, 443}, {8000, 8999}, {53, 53}});
    REQUIRE(config.addresses.size() == 3);
    CHECK(config.addresses[0].to_string() == "192.168.1.100/32");
    CHECK(config.addresses[1].to_string() == "2001:db8::/64");
    CHECK(config.addresses[2].to_string() == "192.0.2.7/32");
    REQUIRE(config.excluded_addresses.size() == 2);
    CHECK(config.excluded_addresses[0].to_string() == "192.168.1.50/32");
    CHECK(config.excluded_addresses[1].to_string() == "::/0");
    CHECK(config.devices == std::vector<std::string>{"eth0", "bond*"});
    CHECK_FALSE(config.local_access);
    CHECK_FALSE(config.reserve_ports);
    CHECK(config.fast_path);
    CHECK(config.flows.fresh == 1024);
    CHECK(config.flows.established == 16777216);
    CHECK(config.flows.answered == 2048);
    CHECK(config.paths.bpffs == "/b");
    CHECK(config.paths.cgroup == "/c");
    CHECK(config.paths.state_dir == "/s");
    CHECK(config.log.file == "/l");
    CHECK(config.log.level == "debug");
}

TEST_CASE("gateways allow the namespaces and ports that they list")
{
    const Gateways gateways =
        parse_config(with(R"("gateways": {"namespaces": ["kong"], "ports": ["80-82", 443]})")).gateways;
    CHECK(gateways.allows_namespace("kong"));
    CHECK_FALSE(gateways.allows_namespace("kong2"));
    CHECK_FALSE(gateways.allows_namespace(""));
    CHECK_FALSE(gateways.allows_namespace("*"));
    for (const unsigned port : {80u, 82u, 443u})
        CHECK(gateways.allows_port(HostPort{static_cast<std::uint16_t>(port)}));
    for (const unsigned port : {79u, 83u, 442u, 444u})
        CHECK_FALSE(gateways.allows_port(HostPort{static_cast<std::uint16_t>(port)}));

    const Gateways all = parse_config(with(R"("gateways": {"namespaces": ["*"], "ports": []})")).gateways;
    CHECK(all.allows_namespace("any"));
    CHECK(all.allows_namespace(""));
    CHECK_FALSE(all.allows_port(HostPort{80}));
    CHECK_FALSE(parse_config(with("")).gateways.allows_namespace("kong"));
}

TEST_CASE("every served version is read, and no other")
{
    for (const std::string version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
        CHECK(parse_config(R"({"cniVersion": ")" + version + R"(", "name": "n"})").cni_version == version);

    const std::string member =
        GENERATE(R"("cniVersion": "0.2.0",)", R"("cniVersion": "1.2.0",)", R"("cniVersion": "",)", "",
                 R"("cniVersion": 1,)", R"("cniVersion": null,)", R"("cniVersion": "1.0",)");
    const std::string text = "{" + member + R"("name": "n"})";
    INFO(text);
    require_refusal([&] { parse_config(text); }, Code::incompatible_version,
                    {"cniVersion", "0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"});
    CHECK(parse_base_config(text).objection.find("cniVersion") == 0);
}

TEST_CASE("the network's name is needed")
{
    require_refusal([] { parse_config(R"({"cniVersion": "1.0.0"})"); }, Code::invalid_network_config,
                    {"/name is missing"});
    require_refusal([] { parse_config(R"({"cniVersion": "1.0.0", "name": ""})"); }, Code::invalid_network_config,
                    {"/name is \"\""});
    require_refusal([] { parse_config(R"({"cniVersion": "1.0.0", "name": 5})"); }, Code::invalid_network_config,
                    {"/name is 5"});
}

TEST_CASE("unknown keys are refused with their pointer, and advice")
{
    struct Case
    {
        std::string members, pointer, advice;
    };
    const auto [members, pointer, advice] =
        GENERATE(Case{R"("adresses": [])", "\"/adresses\"", "did you mean \"addresses\"?"},
                 Case{R"("LocalAccess": true)", "\"/LocalAccess\"", "did you mean \"localAccess\"?"},
                 Case{R"("plugins": [])", "\"/plugins\"", "known are gateways, addresses"},
                 Case{R"("gateways": {"namespace": []})", "\"/gateways/namespace\"", "did you mean \"namespaces\"?"},
                 Case{R"("gateways": {"a/b": []})", "\"/gateways/a~1b\"", "known are namespaces, ports"},
                 Case{R"("flows": {"newest": 1024})", "\"/flows/newest\"", "known are new, established, answered"},
                 Case{R"("m~n": 1)", "\"/m~0n\"", "known are"}, Case{R"("": 1)", "\"/\"", "known are"});
    INFO(members);
    require_refusal([&, text = members] { parse_config(with(text)); }, Code::unsupported_field, {pointer, advice});
}

TEST_CASE("wrong types and values are refused with pointer, value and what is expected")
{
    struct Case
    {
        std::string members, is, expected;
    };
    const auto [members, is, expected] = GENERATE(
        Case{R"("gateways": [])", "/gateways is a list", "an object"},
        Case{R"("gateways": null)", "/gateways is null", "an object"},
        Case{R"("gateways": {"namespaces": "kong"})", "/gateways/namespaces is \"kong\"", "a list"},
        Case{R"("gateways": {"namespaces": ["a", ""]})", "/gateways/namespaces/1 is \"\"", "isn't empty"},
        Case{R"("gateways": {"namespaces": [7]})", "/gateways/namespaces/0 is 7", "a string"},
        Case{R"("gateways": {"namespaces": ["kong-*"]})", "/gateways/namespaces/0 is \"kong-*\"", "whole name"},
        Case{R"("gateways": {"ports": 80})", "/gateways/ports is 80", "a list"},
        Case{R"("gateways": {"ports": [80, 0]})", "/gateways/ports/1 is 0", "1 to 65535"},
        Case{R"("gateways": {"ports": [65536]})", "/gateways/ports/0 is 65536", "1 to 65535"},
        Case{R"("gateways": {"ports": [-1]})", "/gateways/ports/0 is -1", "1 to 65535"},
        Case{R"("gateways": {"ports": [80.0]})", "/gateways/ports/0 is 80.0", "1 to 65535"},
        Case{R"("gateways": {"ports": [18446744073709551696]})", "/gateways/ports/0 is 1.8", "1 to 65535"},
        Case{R"("gateways": {"ports": [true]})", "/gateways/ports/0 is true", "1 to 65535"},
        Case{R"("gateways": {"ports": ["9-8"]})", "/gateways/ports/0 is \"9-8\"", "8000-8999"},
        Case{R"("gateways": {"ports": ["0-8"]})", "/gateways/ports/0 is \"0-8\"", "8000-8999"},
        Case{R"("gateways": {"ports": ["8-65536"]})", "/gateways/ports/0 is \"8-65536\"", "8000-8999"},
        Case{R"("gateways": {"ports": ["http"]})", "/gateways/ports/0 is \"http\"", "8000-8999"},
        Case{R"("gateways": {"ports": [""]})", "/gateways/ports/0 is \"\"", "8000-8999"},
        Case{R"("gateways": {"ports": ["80-"]})", "/gateways/ports/0 is \"80-\"", "8000-8999"},
        Case{R"("gateways": {"ports": ["1-2-3"]})", "/gateways/ports/0 is \"1-2-3\"", "8000-8999"},
        Case{R"("gateways": {"ports": ["80 - 90"]})", "/gateways/ports/0 is \"80 - 90\"", "8000-8999"},
        Case{R"("flows": {"new": 1023})", "/flows/new is 1023", "1024 to 16777216"},
        Case{R"("flows": {"established": 16777217})", "/flows/established is 16777217", "1024 to 16777216"},
        Case{R"("flows": {"new": "4096"})", "/flows/new is \"4096\"", "1024 to 16777216"},
        Case{R"("flows": 4096)", "/flows is 4096", "an object"});
    INFO(members);
    require_refusal([&, text = members] { parse_config(with(text)); }, Code::invalid_network_config, {is, expected});
}

TEST_CASE("wrong addresses, devices, switches and paths likewise")
{
    struct Case
    {
        std::string members, is, expected;
    };
    const auto [members, is, expected] =
        GENERATE(Case{R"("addresses": "192.0.2.1")", "/addresses is \"192.0.2.1\"", "a list"},
                 Case{R"("addresses": ["192.0.2.1/24"])", "/addresses/0 is \"192.0.2.1/24\"", "without host bits"},
                 Case{R"("addresses": ["192.0.2.1", "vip"])", "/addresses/1 is \"vip\"", "an address"},
                 Case{R"("addresses": ["0.0.0.0/0"])", "/addresses/0 is \"0.0.0.0/0\"", "unicast"},
                 Case{R"("addresses": ["::/0"])", "/addresses/0 is \"::/0\"", "unicast"},
                 Case{R"("addresses": ["127.0.0.1"])", "/addresses/0 is \"127.0.0.1\"", "unicast"},
                 Case{R"("addresses": ["ff02::1"])", "/addresses/0 is \"ff02::1\"", "unicast"},
                 Case{R"("addresses": ["!192.0.2.1/24"])", "/addresses/0 is \"!192.0.2.1/24\"", "without host bits"},
                 Case{R"("addresses": ["!127.0.0.1"])", "/addresses/0 is \"!127.0.0.1\"", "localAccess"},
                 Case{R"("addresses": ["!"])", "/addresses/0 is \"!\"", "an address"},
                 Case{R"("addresses": ["192.0.2.1", "!192.0.2.1"])", "/addresses/1 is \"!192.0.2.1\"", "once"},
                 Case{R"("devices": "eth0")", "/devices is \"eth0\"", "\"auto\" or a list"},
                 Case{R"("devices": [])", "/devices is a list", "at least one"},
                 Case{R"("devices": [""])", "/devices/0 is \"\"", "isn't empty"},
                 Case{R"("devices": null)", "/devices is null", "a list"},
                 Case{R"("localAccess": "yes")", "/localAccess is \"yes\"", "true or false"},
                 Case{R"("reservePorts": 1)", "/reservePorts is 1", "true or false"},
                 Case{R"("fastPath": null)", "/fastPath is null", "true or false"},
                 Case{R"("bpffs": "")", "/bpffs is \"\"", "isn't empty"},
                 Case{R"("cgroup": "sys/fs")", "/cgroup is \"sys/fs\"", "an absolute path"},
                 Case{R"("stateDir": 7)", "/stateDir is 7", "a string"},
                 Case{R"("logFile": {})", "/logFile is an object", "a string"},
                 Case{R"("logFile": "/a\u0000b")", "/logFile is \"/a\\x00b\"", "an absolute path"},
                 Case{R"("logLevel": "INFO")", "/logLevel is \"INFO\"", "one of trace, debug, info, warn, error, off"},
                 Case{R"("runtimeConfig": [])", "/runtimeConfig is a list", "an object"},
                 Case{R"("prevResult": "none")", "/prevResult is \"none\"", "an object"});
    INFO(members);
    require_refusal([&, text = members] { parse_config(with(text)); }, Code::invalid_network_config, {is, expected});
}

TEST_CASE("a key that stands twice is refused in what we read, and left alone in prevResult")
{
    const std::string members =
        GENERATE(R"("fastPath": true, "fastPath": false)", R"("gateways": {"ports": [], "ports": [80]})",
                 R"("runtimeConfig": {"portMappings": [{"hostPort": 1, "hostPort": 2}]})",
                 R"("prevResult": {}, "prevResult": {})", R"("name": "other")");
    INFO(members);
    require_refusal([&] { parse_config(with(members)); }, Code::decoding_failure, {"twice"});

    CHECK(parse_config(with(R"("prevResult": {"x": 1, "x": 2}, "args": {"y": 1})")).prev_result ==
          R"({"x": 1, "x": 2})");
    CHECK_NOTHROW(parse_config(with(R"("gateways": {"ports": []}, "args": {"ports": {"ports": 1}})")));
}

TEST_CASE("an entry that libcni couldn't read is refused, as the whole list would fail over it")
{
    struct Case
    {
        std::string entry, what;
    };
    const auto [entry, what] =
        GENERATE(Case{R"({"capabilities": "x"})", "/capabilities is \"x\""},
                 Case{R"({"capabilities": {"portMappings": 1}})", "/capabilities/portMappings is 1"},
                 Case{R"({"ipam": 5})", "/ipam is 5"}, Case{R"({"ipam": {"type": {}}})", "/ipam/type is an object"},
                 Case{R"({"dns": []})", "/dns is a list"}, Case{R"({"dns": {"domain": 1}})", "/dns/domain is 1"},
                 Case{R"({"dns": {"search": "x"}})", "/dns/search is \"x\""},
                 Case{R"({"dns": {"nameservers": [8]}})", "/dns/nameservers/0 is 8"},
                 Case{R"({"cni.dev/valid-attachments": "x"})", "/cni.dev~1valid-attachments is \"x\""});
    INFO(entry);
    require_refusal([&, text = entry] { parse_entry(text); }, Code::invalid_network_config, {what});

    CHECK_NOTHROW(parse_entry(R"({"capabilities": {"portMappings": true, "x": false}, "ipam": {}, "args": {"a": 1},
        "dns": {"nameservers": ["192.0.2.1"], "domain": "d", "search": null}})"));
    require_refusal([] { parse_config(with(R"("capabilities": {"portMappings": "yes"})")); },
                    Code::invalid_network_config, {"/capabilities/portMappings is \"yes\""});
}

TEST_CASE("DEL and GC read what they need, whatever became of the rest")
{
    const TolerantConfig config =
        parse_base_config(R"({"cniVersion": "0.3.1", "name": "n", "bpffs": "/b", "logLevel": "off",
        "gateways": 7, "unknown": 1, "prevResult": "junk", "runtimeConfig": [], "addresses": ["x"], "addresses": 1})");
    CHECK(config.cni_version == "0.3.1");
    CHECK(config.network == "n");
    CHECK(config.paths.bpffs == "/b");
    CHECK(config.log.level == "off");

    CHECK(config.objection.empty());
}

TEST_CASE("of what DEL and GC need, what is wrong counts as missing, and the rest holds")
{
    const TolerantConfig config = parse_base_config(
        R"({"cniVersion": "9.9.9", "name": 5, "bpffs": "b", "cgroup": 1, "stateDir": "/s", "logLevel": "loud", "logFile": "/l"})");
    CHECK(config.cni_version.empty());
    CHECK(config.network.empty());
    CHECK(config.paths.bpffs == Paths{}.bpffs);
    CHECK(config.paths.cgroup == Paths{}.cgroup);
    CHECK(config.paths.state_dir == "/s");
    CHECK(config.log.level == "info");
    CHECK(config.log.file == "/l");
    for (const std::string part :
         {"cniVersion \"9.9.9\"", "/name is 5", "/bpffs is \"b\"", "/cgroup is 1", "/logLevel is \"loud\""}) {
        CAPTURE(part);
        CHECK(config.objection.find(part) != std::string::npos);
    }

    for (const std::string text : {"", "{", "[]", "\xff"}) {
        CAPTURE(text);
        const TolerantConfig unread = parse_base_config(text);
        CHECK(unread.paths.bpffs == Paths{}.bpffs);
        CHECK(unread.objection.find("the network configuration") == 0);
    }
}

TEST_CASE("GC's list is read by either name, and never taken for empty where it is missing")
{
    const std::string attachments =
        R"([{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifname": "eth1"}])";
    const std::vector<AttachmentId> expected = {{"a", "eth0"}, {"b", "eth1"}};
    CHECK(parse_valid_attachments(with(R"("cni.dev/valid-attachments": )" + attachments)) == expected);
    CHECK(parse_valid_attachments(with(R"("cni.dev/attachments": )" + attachments)) == expected);
    CHECK(parse_valid_attachments(with(R"("cni.dev/attachments": [], "cni.dev/valid-attachments": )" + attachments)) ==
          expected);
    CHECK(parse_valid_attachments(with(R"("cni.dev/valid-attachments": [])")).empty());
    CHECK(parse_valid_attachments(with(R"("cni.dev/valid-attachments": null)")).empty());

    const std::string members =
        GENERATE("", R"("cni.dev/valid-attachments": {})", R"("cni.dev/valid-attachments": ["a"])",
                 R"("cni.dev/valid-attachments": [{"containerID": "a"}])",
                 R"("cni.dev/valid-attachments": [{"containerID": "", "ifname": "eth0"}])");
    INFO(members);
    require_refusal([&] { parse_valid_attachments(with(members)); }, Code::invalid_network_config,
                    {"/cni.dev~1valid-attachments"});
}

TEST_CASE("the version is found in anything, and failing to is no failure")
{
    CHECK(cni_version_of(R"({"cniVersion": "0.3.1"})") == "0.3.1");
    CHECK(cni_version_of(R"({"cniVersion": "9.9.9", "a": 1, "a": 2})") == "9.9.9");
    for (const std::string text : {"", "{", "[]", "{}", R"({"cniVersion": 1})", R"({"cniVersion": null})", "\xff"})
        CHECK(cni_version_of(text).empty());
    CHECK(cni_version_of(std::string(1 << 20, '[')).empty());
}
