// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cri.hpp"

#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

CriPod gateway()
{
    return {.id = "4f6c",
            .kubernetes_namespace = "gateways",
            .name = "web",
            .annotations = {{"sallyport.dev/expose", "80:9080"}, {"other", ""}},
            .addresses = {"10.0.1.7", "fd00::7"},
            .info = info_with_netns("/var/run/netns/cni-1"),
            .created_at = 1700000000123456789};
}

CriServer server_of(std::vector<CriPod> pods)
{
    return CriServer([pods](const std::string& method, const std::string& request) -> CriAnswer {
        if (method == "Version")
            return {.message = version_response("containerd", "v2.1.4")};
        if (method == "ListPodSandbox")
            return {.message = list_response(pods)};
        for (const CriPod& pod : pods)
            if (method == "PodSandboxStatus" && pod.id == asked_sandbox(request))
                return {.message = status_response(pod)};
        return {.status = 5, .status_text = "an error occurred when try to find sandbox: not found"};
    });
}

}  // namespace

TEST_CASE("a runtime says its name and version", "[cri]")
{
    const CriServer server = server_of({});
    const RuntimeVersion version = CriClient(server.socket()).version();
    CHECK(version.name == "containerd");
    CHECK(version.version == "v2.1.4");
}

TEST_CASE("pods are listed with their annotations, oldest first", "[cri]")
{
    CriPod ended{.id = "older", .kubernetes_namespace = "kube-system", .name = "job", .ready = false, .created_at = 7};
    const CriServer server = server_of({gateway(), ended});
    const auto pods = CriClient(server.socket()).list_sandboxes();
    REQUIRE(pods.size() == 2);
    CHECK(pods[0].id == "older");
    CHECK_FALSE(pods[0].ready);
    CHECK(pods[0].annotations.empty());
    CHECK(pods[1].id == "4f6c");
    CHECK(pods[1].pod_namespace == "gateways");
    CHECK(pods[1].pod_name == "web");
    CHECK(pods[1].uid == "uid-of-web");
    CHECK(pods[1].ready);
    CHECK(pods[1].created_at == 1700000000123456789);
    CHECK(pods[1].annotations == gateway().annotations);
}

TEST_CASE("a node without pods has an empty list", "[cri]")
{
    const CriServer server = server_of({});
    CHECK(CriClient(server.socket()).list_sandboxes().empty());
}

TEST_CASE("a list of a busy node arrives whole", "[cri]")
{
    std::vector<CriPod> pods;
    for (int i = 0; i < 500; i++) {
        pods.push_back(gateway());
        pods.back().annotations["last-applied"] = std::string(8000, 'x');  // what kubectl puts there
    }
    const CriServer server = server_of(pods);  // 4 MB
    CHECK(CriClient(server.socket()).list_sandboxes().size() == 500);
}

TEST_CASE("a pod is told with addresses and namespace", "[cri]")
{
    const CriServer server = server_of({gateway()});
    const Sandbox pod = CriClient(server.socket()).inspect("4f6c");
    CHECK(pod.id == "4f6c");
    CHECK(pod.ready);
    CHECK_FALSE(pod.host_network);
    CHECK(pod.addresses == std::vector<std::string>{"10.0.1.7", "fd00::7"});
    CHECK(pod.netns == "/var/run/netns/cni-1");
    CHECK(pod.annotations == gateway().annotations);
}

TEST_CASE("a pod in the node's network has neither addresses nor a namespace", "[cri]")
{
    CriPod host = gateway();
    host.addresses = {};
    host.host_network = true;
    host.info = R"({"runtimeSpec":{"linux":{"namespaces":[{"type":"pid"},{"type":"network"}]}}})";
    const CriServer server = server_of({host});
    const Sandbox pod = CriClient(server.socket()).inspect("4f6c");
    CHECK(pod.host_network);
    CHECK(pod.addresses.empty());
    CHECK(pod.netns.empty());
}

TEST_CASE("what a runtime doesn't tell of a namespace is left open", "[cri]")
{
    CriPod pod = gateway();
    pod.info =
        GENERATE("", "{}", R"({"runtimeSpec":null})", R"({"runtimeSpec":{}})", R"({"runtimeSpec":{"linux":null}})",
                 R"({"runtimeSpec":{"linux":{"namespaces":null}}})", R"({"runtimeSpec":{"linux":{"namespaces":[]}}})",
                 R"({"runtimeSpec":{"linux":{"namespaces":[{"type":"mount","path":"/proc/1/ns/mnt"}]}}})");
    const CriServer server = server_of({pod});
    CHECK(CriClient(server.socket()).inspect("4f6c").netns.empty());
}

TEST_CASE("info of another shape is refused", "[cri]")
{
    CriPod pod = gateway();
    pod.info = GENERATE("[]", "{", R"({"runtimeSpec":7})", R"({"runtimeSpec":{"linux":{"namespaces":"none"}}})");
    const CriServer server = server_of({pod});
    require_refusal([&] { CriClient(server.socket()).inspect("4f6c"); }, Code::io_failure, {"`info`"});
}

TEST_CASE("a pod that is gone is told from a failure", "[cri]")
{
    const CriServer server = server_of({});
    require_refusal([&] { CriClient(server.socket()).inspect("4f6c"); }, Code::unknown_container,
                    {server.socket().string(), "PodSandboxStatus", "status 5 (not found)", "try to find sandbox"});
}

TEST_CASE("a gRPC status is told with its message", "[cri]")
{
    const auto [status, text, code, shown] = GENERATE(table<int, std::string, Code, std::string>({
        {12, "unknown service runtime.v1.RuntimeService", Code::io_failure, "disabled_plugins"},
        {13, "50%25 done%0Athen broken%", Code::io_failure, "50% done then broken%;"},
        {14, "server is not initialized yet", Code::try_again_later, "14 (unavailable)"},
        {99, "", Code::io_failure, "status 99"},
    }));
    const CriServer server(
        [&](const std::string&, const std::string&) { return CriAnswer{.status = status, .status_text = text}; });
    require_refusal([&] { CriClient(server.socket()).version(); }, code, {shown});
}

TEST_CASE("a web server is no container runtime", "[cri]")
{
    const CriServer server([](const std::string&, const std::string&) { return CriAnswer{.http_status = "404"}; });
    require_refusal([&] { CriClient(server.socket()).version(); }, Code::io_failure,
                    {"HTTP status \"404\"", "--cri-socket"});
}

TEST_CASE("bytes that are no such message are refused", "[cri]")
{
    const std::string bytes = GENERATE(std::string("\xff\xff\xff\xff"), std::string("\x0a\xff\x01short"),
                                       std::string("\x0a\x05\x0a\x7f\x01\x02\x03"), std::string(100000, '\xff'));
    const CriServer server([&](const std::string&, const std::string&) { return CriAnswer{.message = bytes}; });
    require_refusal([&] { CriClient(server.socket()).list_sandboxes(); }, Code::io_failure, {"ListPodSandboxResponse"});
}

TEST_CASE("fields of a form that we don't know are skipped", "[cri]")
{
    // Fields 1 and 2 as numbers, 3 as eight bytes, 99 as text: whatever a later version may mean by them.
    const std::string bytes("\x08\x07\x10\x07\x19\x01\x02\x03\x04\x05\x06\x07\x08\x9a\x06\x01x", 17);
    const CriServer server([&](const std::string&, const std::string&) { return CriAnswer{.message = bytes}; });
    CHECK(CriClient(server.socket()).version().name.empty());
    CHECK(CriClient(server.socket()).list_sandboxes().empty());
    CHECK(CriClient(server.socket()).inspect("x").id.empty());
}

TEST_CASE("the socket is the option's, or none", "[cri]")
{
    CHECK(find_cri_socket("off") == std::nullopt);
    CHECK(find_cri_socket("/run/elsewhere.sock") == "/run/elsewhere.sock");
}
