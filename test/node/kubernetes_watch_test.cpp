// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The Kubernetes client against a stand-in for an API server, over real TLS: what becomes of lists, watches, and
// everything that goes wrong with them.
#include "../../plugin/kubernetes/exchange.hpp"
#include "../../plugin/kubernetes/pods.hpp"

#include "sallyport/error.hpp"
#include "sallyport/kubernetes.hpp"

#include "support/agent.hpp"
#include "support/api_server.hpp"
#include "support/sockets.hpp"
#include "support/subprocess.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

using Json = nlohmann::json;

/// One that follows that server's pods, from its namespace.
class Follow
{
public:
    Follow(const Namespace& netns, const Cluster& cluster)
        : watch_(netns.run([&] { return std::make_unique<KubernetesWatch>(cluster); }))
    {}

    KubernetesView view() const { return watch_->take(); }

    bool sees(const std::function<bool(const KubernetesView&)>& what) const
    {
        return eventually([&] { return what(watch_->take()); });
    }

    bool is_ready(const std::string& uid, bool ready = true) const
    {
        return sees(
            [&](const KubernetesView& view) { return view.pods.contains(uid) && view.pods.at(uid).ready == ready; });
    }

    bool has_problem(const std::string& text) const
    {
        return sees([&](const KubernetesView& view) { return view.problem.find(text) != std::string::npos; });
    }

    bool is_well() const
    {
        return sees([](const KubernetesView& view) { return view.complete && view.problem.empty(); });
    }

    int fd() const { return watch_->fd(); }

private:
    std::unique_ptr<KubernetesWatch> watch_;
};

std::size_t count(const std::vector<std::string>& lines, const std::string& part)
{
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const std::string& line) { return line.find(part) != std::string::npos; }));
}

bool is_asked(const ApiServer& server, const std::string& part, std::size_t times = 1)
{
    return eventually([&] { return count(server.requests(), part) >= times; });
}

/// In kB, the most it ever was since the last reset.
std::size_t peak_memory()
{
    const std::string field = "VmHWM:";
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field))
            return std::stoul(line.substr(field.size()));
    return 0;
}

}  // namespace

TEST_CASE("kubernetes: pods are listed page by page, and then watched", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    server.list({api_pod("a", "3", false), api_pod("b", "4", true), api_pod("c", "5", true)}, "10");
    server.tell({{"page", 2}});
    const Follow follow(netns, server.cluster());
    REQUIRE(follow.is_ready("c"));
    CHECK(follow.view().pods.size() == 3);
    CHECK(follow.view().complete);
    CHECK(follow.view().pods.at("b").addresses == std::vector{*Address::parse("10.0.0.7")});
    REQUIRE(is_asked(server, "watch=true&allowWatchBookmarks=true&resourceVersion=10&"));
    CHECK(count(server.requests(), "first-token\t/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=500") == 2);

    server.send("MODIFIED", api_pod("a", "11", true));
    CHECK(follow.is_ready("a"));
    server.send("DELETED", api_pod("b", "12", true));
    CHECK(follow.sees([](const KubernetesView& view) { return !view.pods.contains("b"); }));
    server.send("MODIFIED", ending(api_pod("c", "13", true)));
    CHECK(follow.sees([](const KubernetesView& view) { return view.pods.at("c").ending_since.has_value(); }));

    // A watch that the server ends, or that is cut, goes on where it was; with the token of then.
    server.send("BOOKMARK", {{"kind", "Pod"}, {"metadata", {{"resourceVersion", "20"}}}});
    server.replace_token("second-token\n");
    server.tell({{"end", "cut"}});
    CHECK(is_asked(server, "second-token\t/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&watch=true&"
                           "allowWatchBookmarks=true&resourceVersion=20&"));
    server.send("MODIFIED", api_pod("c", "21", false));
    CHECK(follow.is_ready("c", false));
    CHECK(follow.is_well());
    CHECK(count(server.requests(), "limit=") == 2);
}

TEST_CASE("kubernetes: over IPv6", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns, "::1");
    server.list({api_pod("a", "3", true)}, "10");
    const Follow follow(netns, server.cluster());
    CHECK(follow.is_ready("a"));
}

TEST_CASE("kubernetes: a version that is too old leads to another list", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    server.list({api_pod("a", "3", true)}, "10");
    const Follow follow(netns, server.cluster());
    REQUIRE(is_asked(server, "watch=true"));
    server.list({api_pod("b", "30", true)}, "40");
    server.send("ERROR", {{"kind", "Status"}, {"code", 410}, {"message", "too old resource version: 10 (35)"}});
    CHECK(follow.is_ready("b"));
    CHECK(follow.view().pods.size() == 1);
    CHECK(is_asked(server, "resourceVersion=40&timeoutSeconds="));
}

TEST_CASE("kubernetes: who may not is told what to do, and goes on once he may", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    server.tell({{"behave", "refuse"}, {"status", 403}, {"message", "pods is forbidden: User \"x\" cannot list"}});
    const Follow follow(netns, server.cluster());
    CHECK(follow.has_problem("403"));
    CHECK(follow.has_problem("cannot list"));
    CHECK(follow.has_problem("list and watch on pods"));
    server.tell({{"behave", "refuse"}, {"status", 401}});
    CHECK(follow.has_problem("token"));
    server.list({api_pod("a", "3", true)}, "10");
    server.tell({{"behave", "well"}});
    CHECK(follow.is_ready("a"));
    CHECK(follow.is_well());
}

TEST_CASE("kubernetes: nonsense, half answers and no answers are survived", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    server.list({api_pod("a", "3", true)}, "10");
    server.tell({{"behave", "garbage"}});
    const std::size_t descriptors = open_descriptors();
    {
        const Follow follow(netns, server.cluster());
        CHECK(follow.has_problem("HTTP"));
        server.tell({{"behave", "cut"}});
        CHECK(follow.has_problem("receive: "));
        server.tell({{"behave", "well"}, {"body", Json::array({Json::array({"<html>", 1})})}});
        CHECK(follow.has_problem("no JSON"));
        server.list({api_pod("a", "3", true)}, "10");
        CHECK(follow.is_ready("a"));
        REQUIRE(is_asked(server, "watch=true"));
        server.tell({{"raw", "{\"type\":\"ADDED\",\"object\":[]}\n"}});
        CHECK(follow.has_problem("without resourceVersion"));
        CHECK(follow.is_well());
        CHECK(follow.view().pods.contains("a"));  // all the while
    }
    CHECK(open_descriptors() == descriptors);
}

TEST_CASE("kubernetes: nobody waits for a server that hangs", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    for (const char* how : {"hang", "silent"}) {
        INFO(how);
        server.tell({{"behave", how}});
        const std::size_t asked = server.requests().size();
        const auto begin = std::chrono::steady_clock::now();
        {
            const Follow follow(netns, server.cluster());
            if (std::string(how) == "hang")
                CHECK(eventually([&] { return server.requests().size() > asked; }));
            CHECK(follow.view().pods.empty());
        }
        CHECK(std::chrono::steady_clock::now() - begin < patience);  // told to stop, it does
    }
    const Cluster nobody{"127.0.0.1", 1, "n1", server.cluster().token, server.cluster().authorities};
    CHECK(Follow(netns, nobody).has_problem("Connection refused"));
}

TEST_CASE("kubernetes: an answer has until then, and not a byte longer", "[kubernetes]")
{
    const std::string late = "no answer in time";
    const Namespace netns("kube");
    const ApiServer server(netns);
    server.list({api_pod("a", "3", true)}, "10");
    const Cluster cluster = server.cluster();
    const UniqueFd nobody_stops(eventfd(0, EFD_CLOEXEC));
    const auto read = [&](const std::string& target, std::chrono::milliseconds patience) {
        netns.run([&] {
            kubernetes::Exchange answer(cluster, {target},
                                        {std::chrono::steady_clock::now() + patience, nobody_stops.get()});
            while (kubernetes::read_event(answer))
                ;
        });
    };
    const auto failure = [&](const std::string& target) {
        try {
            read(target, 1s);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("none");
    };
    CHECK(failure("/x?watch=true") == late);  // a watch where nothing happens
    for (const char* how : {"hang", "silent"}) {
        INFO(how);
        server.tell({{"behave", how}});
        CHECK(failure("/x") == late);
    }
}

TEST_CASE("kubernetes: a server that another authority signed for isn't told the token", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    const ApiServer impostor(netns);
    Cluster cluster = server.cluster();
    cluster.port = impostor.cluster().port;
    const Follow deceived(netns, cluster);
    CHECK(deceived.has_problem("isn't to be trusted"));
    CHECK(impostor.requests().empty());
    Cluster elsewhere = server.cluster();
    elsewhere.host = "127.0.0.2";
    CHECK(Follow(netns, elsewhere).has_problem("does not match"));
    CHECK(server.requests().empty());
}

TEST_CASE("kubernetes: a cluster's authority may be replaced below our feet", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    server.list({api_pod("a", "3", true)}, "10");
    const Follow follow(netns, server.cluster());
    REQUIRE(is_asked(server, "watch=true"));
    server.tell({{"authority", true}});
    server.tell({{"end", "cut"}});
    CHECK(is_asked(server, "watch=true", 2));
    server.send("MODIFIED", api_pod("a", "11", false));
    CHECK(follow.is_ready("a", false));
    CHECK(follow.is_well());
}

TEST_CASE("kubernetes: a list of 100 MB takes no memory to speak of", "[kubernetes]")
{
    const Namespace netns("kube");
    const ApiServer server(netns);
    auto pod = api_pod("a", "3", true);
    pod["metadata"]["annotations"] = {{"note", std::string(100'000, 'x')}};
    const std::string begin = R"({"kind":"PodList","metadata":{"resourceVersion":"5"},"items":[)";
    const std::string end = api_pod("b", "4", true).dump() + "]}";
    server.tell({{"body", Json::array({Json::array({begin, 1}), Json::array({pod.dump() + ",", 1000}),
                                       Json::array({end, 1})})}});
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
    const std::size_t before = peak_memory();
    const Follow follow(netns, server.cluster());
    const auto all_of_it = std::chrono::steady_clock::now() + 60s;
    while (!follow.view().complete && std::chrono::steady_clock::now() < all_of_it)
        std::this_thread::sleep_for(10ms);
    INFO(follow.view().problem);
    CHECK(follow.view().pods.size() == 2);
    CHECK(peak_memory() < before + 4 * 1024);
}
