// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The agent beside a container runtime that is in trouble.
#include "support/agent.hpp"
#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/node.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <fstream>

using namespace sallyport::test;
using namespace std::chrono_literals;

TEST_CASE("a runtime that takes seconds for each pod keeps the agent from nothing else", "[agent][adoption]")
{
    Node node;
    directory_arguments(node);
    const auto list = cni_conf_dir(node) / "05-pods.conflist";
    const auto write_list = [&] {
        const Json text{{"cniVersion", "0.3.1"}, {"name", "pods"}, {"plugins", {{{"type", "ptp"}}}}};
        std::ofstream(list) << text.dump();
    };
    const auto has_entry = [&] {
        std::ifstream file(list);
        return std::string(std::istreambuf_iterator<char>(file), {}).find("sallyport") != std::string::npos;
    };
    std::vector<CriPod> pods;
    for (int i = 0; i < 40; i++)
        pods.push_back({.id = "pod-" + std::to_string(i),
                        .kubernetes_namespace = "gateways",
                        .name = "gateway-" + std::to_string(i),
                        .annotations = {{"sallyport.dev/expose", "80:9080"}},
                        .host_network = true});
    std::atomic<std::size_t> asked{0};
    const CriServer runtime([&](const std::string& method, const std::string& request) -> CriAnswer {
        if (method == "Version")
            return {.message = version_response("containerd", "v1.7.24")};
        if (method == "ListPodSandbox")
            return {.message = list_response(pods)};
        asked++;
        std::this_thread::sleep_for(1500ms);  // within each call's deadline
        const std::string id = asked_sandbox(request);
        return {.message = status_response(*std::ranges::find(pods, id, &CriPod::id))};
    });
    write_list();
    Agent agent(node, "", sallyport_binary(), runtime.socket().string());
    REQUIRE(eventually([&] { return asked > 0; }));
    for (int i = 0; i < 2; i++) {  // once more, and it would be a fight
        write_list();
        CHECK(eventually(has_entry));
        CHECK(agent.get("/healthz").status == 200);
    }
    CHECK(asked < pods.size());  // all that while it was asked about the same few pods
    CHECK(agent.end().status == 0);
    CHECK(asked < pods.size());
}
