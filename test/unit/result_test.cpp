// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/result.hpp"

#include "sallyport/config.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

std::string configuration(const std::string& prev_result)
{
    return R"({"cniVersion": "1.0.0", "name": "n", "prevResult": )" + prev_result + "}";
}

PrevResult read_result(const std::string& prev_result)
{
    return read_prev_result(JsonValue::parse(configuration(prev_result), JsonValue::Duplicates::last_wins));
}

}  // namespace

TEST_CASE("prevResult is kept byte for byte: order, blanks, big numbers, unknown fields")
{
    const std::string text = GENERATE(
        R"({"z": 1, "a": {"y": null, "b": []}, "interfaces": [], "ips": []})", "{}", "{ \"a\" :\n\t1 }",
        R"({"big": 123456789012345678901234567890, "float": 1.10, "exp": 1E5, "minus": -0.0, "tiny": 0.1000000000000000055})",
        R"({"escaped": "\u00e9\/\n", "text": "é \" } ] ,"})", R"({"dup": 1, "dup": 2})",
        R"({"cniVersion":"0.3.1","dns":{},"sandbox":"unknown field","ips":[{"version":"4","address":"10.0.1.7/32"}]})");
    CHECK(parse_config(configuration(text)).prev_result == text);
}

TEST_CASE("prevResult that is null or missing is none")
{
    CHECK_FALSE(parse_config(R"({"cniVersion": "1.0.0", "name": "n", "prevResult": null})").prev_result);
    CHECK_FALSE(parse_config(R"({"cniVersion": "1.0.0", "name": "n"})").prev_result);
}

TEST_CASE("Cilium's result, version 0.3.1")
{
    const PrevResult result =
        read_result(R"({"cniVersion": "0.3.1", "interfaces": [{"name": "lxc1f", "mac": "aa:bb:cc:dd:ee:ff"},
        {"name": "eth0", "mac": "aa:bb:cc:dd:ee:fe", "sandbox": "/var/run/netns/cni-1"}],
        "ips": [{"version": "6", "interface": 1, "address": "fd00::7/128", "gateway": "fd00::1"},
                {"version": "4", "interface": 1, "address": "10.0.1.7/24"}], "dns": {}})");
    REQUIRE(result.interfaces.size() == 2);
    CHECK(result.interfaces[0].name == "lxc1f");
    CHECK(result.interfaces[0].sandbox.empty());
    CHECK(result.interfaces[1].name == "eth0");
    CHECK(result.interfaces[1].sandbox == "/var/run/netns/cni-1");
    REQUIRE(result.ips.size() == 2);
    CHECK(result.ips[0].address.to_string() == "fd00::7");
    CHECK(result.ips[0].interface == 1u);
    CHECK(result.ips[1].address.to_string() == "10.0.1.7");
}

TEST_CASE("what is missing counts as empty")
{
    CHECK(read_result("{}").interfaces.empty());
    CHECK(read_result("{}").ips.empty());
    CHECK(read_result(R"({"interfaces": null, "ips": null})").ips.empty());
    CHECK(read_result(R"({"interfaces": [{}, {"name": "eth0", "sandbox": null}]})").interfaces.size() == 2);
    const PrevResult result =
        read_result(R"({"ips": [{"address": "10.0.1.7/24"}, {"address": "10.0.1.8/24", "interface": null}]})");
    REQUIRE(result.ips.size() == 2);
    CHECK_FALSE(result.ips[0].interface);
    CHECK_FALSE(result.ips[1].interface);
}

TEST_CASE("a malformed prevResult is refused with its pointer")
{
    struct Case
    {
        std::string text, pointer;
    };
    const auto [text, pointer] = GENERATE(
        Case{R"({"interfaces": {}})", "/prevResult/interfaces is an object"},
        Case{R"({"interfaces": ["eth0"]})", "/prevResult/interfaces/0 is \"eth0\""},
        Case{R"({"interfaces": [{"name": 1}]})", "/prevResult/interfaces/0/name is 1"},
        Case{R"({"interfaces": [{"name": "a", "sandbox": []}]})", "/prevResult/interfaces/0/sandbox is a list"},
        Case{R"({"ips": "10.0.1.7/24"})", "/prevResult/ips is \"10.0.1.7/24\""},
        Case{R"({"ips": [{}]})", "/prevResult/ips/0 is an object; expected an object with an \"address\""},
        Case{R"({"ips": [{"address": 1}]})", "/prevResult/ips/0/address is 1"},
        Case{R"({"ips": [{"address": "10.0.1.7/33"}]})", "/prevResult/ips/0/address is \"10.0.1.7/33\""},
        Case{R"({"ips": [{"address": "pod"}]})", "/prevResult/ips/0/address is \"pod\""},
        Case{R"({"ips": [{"address": "10.0.1.7/24", "interface": -1}]})", "/prevResult/ips/0/interface is -1"},
        Case{R"({"ips": [{"address": "10.0.1.7/24", "interface": "0"}]})", "/prevResult/ips/0/interface is \"0\""});
    INFO(text);
    require_refusal([&, input = text] { read_result(input); }, Code::invalid_network_config, {pointer});
}

TEST_CASE("for a pod that wants nothing, it is enough that prevResult is an object")
{
    const std::string odd = GENERATE(R"({"interfaces": {}})", R"({"ips": [{"address": "pod", "interface": -1}]})");
    CHECK(parse_config(configuration(odd)).prev_result == odd);
    const std::string none = GENERATE("[]", "7", "\"none\"", "true");
    require_refusal([&] { parse_config(configuration(none)); }, Code::invalid_network_config,
                    {"/prevResult is ", "expected an object"});
}
