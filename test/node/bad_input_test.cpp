// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whatever is wrong: a clear error, nothing attached, nothing changed, also beside a gateway that serves.
#include "support/footprint.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <functional>

using namespace sallyport::test;

namespace {

/// A node without anything of ours, and one where a gateway serves port 8000.
struct TwoNodes
{
    TwoNodes()
    {
        require_ok(gateway.add());
        REQUIRE(untouched.footprint() == nothing);
        entries = entries_below(busy.bpffs());
        REQUIRE(entries.at("pods") == 1);
    }

    /// Makes the ADD of `spec` on both nodes, `change` applied to its call, and expects error `code`.
    void expect(
        int code, const PodSpec& spec, const std::string& quoted = "",
        const std::function<void(PluginCall&)>& change = [](PluginCall&) {})
    {
        for (Node* node : {&untouched, &busy}) {
            Pod pod(*node, spec);
            PluginCall call = pod.call("ADD");
            change(call);
            const std::vector<std::string> before = node->footprint();
            const Answer answer = call_plugin(sallyport_binary(), call, node->host);
            CAPTURE(spec.expose.substr(0, 200), call.stdin_text.substr(0, 200));
            INFO("stdout: " << answer.out.substr(0, 1000) << "\nstderr: " << answer.err.substr(0, 1000));
            REQUIRE_FALSE(answer.ok());
            REQUIRE_NOTHROW(answer.json());
            CHECK(answer.code() == code);
            CHECK(answer.message().find(quoted) != std::string::npos);
            CHECK(answer.message().size() < 1000);
            CHECK(node->footprint() == before);
            CHECK(entries_below(node->bpffs()) == (node == &busy ? entries : Entries{}));
        }
        CHECK(ask_tcp(busy.client, {node_v4, 8000}) == "served " + client_v4);
    }

    void expect_config_error(int code, const std::string& pointer, const Json& value, const std::string& quoted)
    {
        expect(code, {.expose = "80:9080"}, quoted, [&](PluginCall& call) {
            Json config = Json::parse(call.stdin_text);
            config[Json::json_pointer(pointer)] = value;
            call.stdin_text = config.dump();
        });
    }

    void expect_stdin_error(int code, const std::string& text)
    {
        expect(code, {}, "", [&](PluginCall& call) { call.stdin_text = text; });
    }

    Node untouched;
    Node busy;
    Pod gateway{busy, {.name = "serving", .expose = "8000:9080"}};
    TcpServer server{gateway.netns, "served", {"::", 9080}};
    Entries entries;
};

}  // namespace

TEST_CASE("stdin that isn't a configuration", "[bad input]")
{
    TwoNodes nodes;
    const int decoding_failure = 6;
    nodes.expect_stdin_error(decoding_failure, "");
    nodes.expect_stdin_error(decoding_failure, " \n");
    nodes.expect_stdin_error(decoding_failure, R"({"cniVersion": "1.0.0", "name": "pods", "type": "sally)");
    nodes.expect_stdin_error(decoding_failure, "[]");
    nodes.expect_stdin_error(decoding_failure, "null");
    nodes.expect_stdin_error(decoding_failure, std::string("{\"cniVersion\": \"1.0.0\", \"name\": \"\xff\xfe\"}"));
    nodes.expect_stdin_error(decoding_failure, std::string(1'000'000, '['));
    nodes.expect_stdin_error(decoding_failure, R"({"cniVersion": "1.0.0", "name": "pods", "padding": ")" +
                                                   std::string(10'000'000, 'x') + "\"}");
}

TEST_CASE("a configuration with wrong types, ranges or keys", "[bad input]")
{
    TwoNodes nodes;
    const int unsupported_field = 2;
    const int invalid = 7;
    nodes.expect_config_error(unsupported_field, "/gatways", Json::object(), "gatways");
    nodes.expect_config_error(unsupported_field, "/gateways/namespace", "x", "/gateways/namespace");
    nodes.expect_config_error(invalid, "/gateways", 7, "/gateways");
    nodes.expect_config_error(invalid, "/gateways/namespaces", "gateways", "/gateways/namespaces");
    nodes.expect_config_error(invalid, "/gateways/ports/0", 0, "/gateways/ports/0");
    nodes.expect_config_error(invalid, "/gateways/ports/0", 65536, "/gateways/ports/0");
    nodes.expect_config_error(invalid, "/gateways/ports/0", -1, "/gateways/ports/0");
    nodes.expect_config_error(invalid, "/gateways/ports/0", 80.5, "/gateways/ports/0");
    nodes.expect_config_error(invalid, "/gateways/ports/0", "9000-8000", "/gateways/ports/0");
    nodes.expect_config_error(invalid, "/addresses", Json::array({"192.0.2.0/33"}), "192.0.2.0/33");
    nodes.expect_config_error(invalid, "/addresses", Json::array({"example.com"}), "example.com");
    nodes.expect_config_error(invalid, "/devices", 5, "/devices");
    nodes.expect_config_error(invalid, "/localAccess", "yes", "/localAccess");
    nodes.expect_config_error(invalid, "/reservePorts", 1, "/reservePorts");
    nodes.expect_config_error(invalid, "/fastPath", nullptr, "/fastPath");
    nodes.expect_config_error(invalid, "/bpffs", 1, "/bpffs");
    nodes.expect_config_error(invalid, "/logLevel", "loud", "/logLevel");
    nodes.expect_config_error(invalid, "/prevResult", "text", "/prevResult");
    nodes.expect_config_error(invalid, "/prevResult/ips", Json::array({Json{{"address", "10.0.0.300/24"}}}),
                              "10.0.0.300");
    nodes.expect_config_error(invalid, "/runtimeConfig", Json::array(), "/runtimeConfig");
}

TEST_CASE("annotations that can't be read", "[bad input]")
{
    TwoNodes nodes;
    for (const char* item : {"0:9080",
                             "80:0",
                             "65536:9080",
                             "80:65536",
                             "80",
                             "80:",
                             ":9080",
                             "eighty:9080",
                             "80:9080/",
                             "80:9080/icmp",
                             "80:9080/TCPX",
                             "80:9080/sctp",
                             "-80:9080",
                             "80:90 80",
                             "0x50:9080",
                             "80:9080:1",
                             "1.2.3:80:9080",
                             "[fd00::1:80:9080",
                             "fd00:100::1:80:9080",
                             "[192.168.100.1]:80:9080",
                             "99999999999999999999:1",
                             "80:9080;443:9443"})
        nodes.expect(102, {.expose = item}, item);
    nodes.expect(102, {.expose = "80:9080/sctp"}, "sctp");
    nodes.expect(102, {.expose = "80:9080,,443:9443"});
    nodes.expect(102, {.expose = "80:9080,"});
    nodes.expect(102, {.annotations = {{"sallyport.dev/expose", ""}}});
    nodes.expect(102, {.expose = "80:9080", .annotations = {{"sallyport.dev/share", "fairest"}}}, "fairest");
    nodes.expect(102, {.expose = "80:9080", .annotations = {{"sallyport.dev/settle", "61s"}}}, "61s");
    nodes.expect(102, {.expose = "80:9080", .annotations = {{"sallyport.dev/hold", "soon"}}}, "soon");
    for (const char* item : {"80", "80:0", "80:80", "80:9080/sctp", "192.168.100.1:80:9080", "[fd00::1]:80:9080"})
        nodes.expect(102, {.annotations = {{"sallyport.dev/remap", item}}}, item);
    nodes.expect(102, {.annotations = {{"sallyport.dev/remap", "80:9080, 80:9081"}}}, "80:9081");
    nodes.expect(102, {.annotations = {{"sallyport.dev/remap", "80:8080, 8080:9080"}}}, "8080:9080");
    nodes.expect(102, {.expose = "80:9080", .annotations = {{"sallyport.dev/exposed", "80"}}}, "sallyport.dev/exposed");
}

TEST_CASE("exposures that contradict each other, or the node", "[bad input]")
{
    TwoNodes nodes;
    nodes.expect(102, {.expose = "80:9080, 80:9081"}, "80:9081");
    nodes.expect(102, {.expose = "80:9080, 80:9080"}, "80:9080");
    nodes.expect(102, {.expose = "80:9080, " + node_v4 + ":80:9081"}, node_v4 + ":80:9081");
    nodes.expect(102, {.expose = "[" + node_v6 + "]:80:9081, 80:9080"}, "80");
    nodes.expect(102, {.expose = "203.0.113.5:80:9080"}, "203.0.113.5");
    nodes.expect(102, {.expose = "[2001:db8::77]:80:9080"}, "2001:db8::77");
    nodes.expect(102, {.expose = client_v4 + ":80:9080"}, client_v4);
    nodes.expect(102, {.expose = "[" + node_v6 + "]:80:9080", .v6 = false}, node_v6);

    std::string many = "8000:1";
    for (int i = 2; i <= 10'000; i++)
        many += "," + std::to_string(8000 + i) + ":1";
    nodes.expect(102, {.expose = many}, "10000");
}
