// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods of a real CRI-O, which asks CHECK of every pod: when it starts one, and when it itself starts.
#include "crio.hpp"

#include "sallyport/error.hpp"
#include "support/footprint.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <iostream>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string answer_of(const Node& node, const std::string& address, unsigned short port = 80)
{
    return ask_tcp(node.client, {address, port});
}

/// A container's program has been started when the call returns, which is a moment before it listens.
void check_serves(const Node& node, const std::string& name = "gateway", unsigned short port = 80)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (answer_of(node, node_v4, port) == "refused" && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(answer_of(node, node_v4, port) == name + ' ' + client_v4);
    CHECK(answer_of(node, node_v6, port) == name + ' ' + client_v6);
}

/// Asks a node port without a pause, over both families, until it ends; keeps the first answer that isn't the pod's.
class Asking
{
public:
    explicit Asking(const Node& node) : thread_([this, &node] { ask(node); }) {}
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking() { finish(); }

    /// "" where all was well.
    std::string finish()
    {
        stop_ = true;
        if (thread_.joinable())
            thread_.join();
        return wrong_;
    }
    unsigned answers() const { return answers_; }

private:
    void ask(const Node& node)
    {
        while (!stop_ && wrong_.empty()) {
            for (const auto& [address, client] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)})
                if (const std::string answer = answer_of(node, address); answer != "gateway " + client)
                    wrong_ = address + " answered " + answer;
            ++answers_;
        }
    }

    std::atomic<bool> stop_{false};
    std::atomic<unsigned> answers_{0};
    std::string wrong_;
    std::thread thread_;
};

}  // namespace

TEST_CASE("a gateway pod of a real CRI-O is served, and leaves nothing behind", "[.][crio]")
{
    LocalNode node;
    const Crio crio(node);
    const RuntimeVersion version = crio.client().version();
    CHECK(version.name == "cri-o");
    std::cout << "runtime: " << version.name << ' ' << version.version << ", list " << crio.list_version() << '\n';

    const std::string id = crio.run();
    INFO(crio.log());
    check_serves(node);
    CHECK(crio.client().inspect(id).addresses.size() == 2);

    crio.stop_and_remove(id);
    CHECK(answer_of(node, node_v4) == "refused");
    CHECK(answer_of(node, node_v6) == "refused");
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
    CHECK(crio.client().list_sandboxes().empty());
}

TEST_CASE("pods outlive a CRI-O that is killed, whatever has changed when it starts anew", "[.][crio]")
{
    LocalNode node;
    node.host.ip("link add eth9 type veth peer name far9\nlink set eth9 up");
    node.plugin["devices"] = {"eth0", "eth9"};
    Crio crio(node);
    const std::string gateway = crio.run();
    const std::string neighbour = crio.run({.name = "plain", .annotations = {}});
    const std::vector<std::string> addresses = crio.client().inspect(gateway).addresses;
    const std::vector<std::string> of_neighbour = crio.client().inspect(neighbour).addresses;
    REQUIRE(addresses.size() == 2);
    check_serves(node);

    Asking asking(node);
    for (const Json& change :
         {Json{{"devices", {"eth0"}}}, Json{{"localAccess", false}},
          Json{{"gateways", {{"namespaces", {"gateways"}}, {"ports", {80, 443}}}}}, Json::object()}) {
        CAPTURE(change.dump());
        crio.kill();
        node.plugin.merge_patch(change);
        crio.write_list();
        crio.start();
        INFO(crio.log());
        CHECK(crio.client().inspect(gateway).addresses == addresses);
        CHECK(crio.client().inspect(gateway).ready);
        CHECK(crio.client().inspect(neighbour).addresses == of_neighbour);

        // Puts into force what the list says today, beside which the next start's CHECK brings the list of the first
        // day.
        const std::string also = crio.run({.name = "also", .annotations = {{"sallyport.dev/expose", "443:9080"}}});
        check_serves(node, "also", 443);
        crio.stop_and_remove(also);
    }
    CHECK(asking.finish() == "");
    CHECK(asking.answers() > 0);

    crio.stop_and_remove(neighbour);
    crio.stop_and_remove(gateway);
    CHECK(answer_of(node, node_v4) == "refused");
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
}

TEST_CASE("what we refuse is in CRI-O's own words, and leaves nothing", "[.][crio]")
{
    LocalNode node;
    const Crio crio(node);
    CHECK_THAT(refusal_of(crio, {.annotations = {{"sallyport.dev/expose", "80:http"}}}),
               ContainsSubstring("sallyport.dev/expose"));
    CHECK_THAT(refusal_of(crio, {.name = "ssh", .annotations = {{"sallyport.dev/expose", "22:2222"}}}),
               ContainsSubstring("node port 22 isn't allowed"));
    CHECK_THAT(refusal_of(crio, {.name = "elsewhere", .kubernetes_namespace = "nobodys"}),
               ContainsSubstring("nobodys"));
    CHECK(crio.client().list_sandboxes().empty());
    CHECK(node.settled_footprint() == nothing);

    const std::string plain = crio.run({.name = "plain", .annotations = {}});
    CHECK(crio.client().inspect(plain).addresses.size() == 2);
    CHECK(node.footprint() == nothing);
    crio.stop_and_remove(plain);
}
