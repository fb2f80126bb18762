// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The page, as Chromium shows it: on a desktop and on a phone, light and dark, from inside a namespace that leads
// nowhere else. SALLYPORT_PAGE_SHOTS=<directory> keeps the screenshots.
#include "support/places.hpp"
#include "support/require_ok.hpp"
#include "support/sandbox.hpp"
#include "support/traffic.hpp"
#include "support/traps.hpp"
#include "support/web.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

using namespace sallyport::test;
using sallyport::AgentState;

namespace {

constexpr int no_chromium = 77;

/// Somebody's pod, who has read about cross-site scripting, and about U+202E, which turns the text behind it round.
const std::string evil = "<img src=x onerror=alert(1)>\u202e\u0085gpj";
const std::string evil_as_shown = "<img src=x onerror=alert(1)>??gpj";

/// Clients that come and go until the end.
class SeenTraffic
{
public:
    explicit SeenTraffic(const Node& node) : node_(node), thread_([this] { run(); }) {}
    ~SeenTraffic()
    {
        stop_ = true;
        thread_.join();
    }

private:
    void run() const
    {
        for (unsigned turn = 0; !stop_; turn++) {
            ask_tcp(node_.client, {turn % 3 == 0 ? node_v6 : node_v4, 80});
            ask_tcp(node_.client, {node_v4, 443});
            if (turn % 4 == 0)
                ask_udp(node_.client, {node_v4, 443});
            if (turn % 10 == 0)
                transfer_both_ways(node_.client, {node_v4, 80}, 200'000 + turn % 7 * 50'000);
            std::this_thread::sleep_for(std::chrono::milliseconds(8 + turn % 90 / 3));
        }
    }

    const Node& node_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

/// What look.py saw in each view.
Json look(const Node& node, const Web& web, const std::string& name, const std::string& wait_for,
          const std::vector<std::string>& views)
{
    const char* kept = std::getenv("SALLYPORT_PAGE_SHOTS");
    const std::filesystem::path directory = (kept ? std::filesystem::path(kept) : node.directory()) / name;
    std::filesystem::create_directories(directory);
    Invocation chromium{.argv = {source_directory() + "/test/page/look.py",
                                 "http://127.0.0.1:" + std::to_string(web.port()) + "/", directory.string(), wait_for},
                        .netns = &node.host};
    chromium.argv.insert(chromium.argv.end(), views.begin(), views.end());
    const Output output = execute(chromium);
    if (output.status == no_chromium)
        SKIP("no chromium here");
    INFO(output.err);
    REQUIRE(output.status == 0);
    return Json::parse(output.out);
}

bool shows(const Json& view, const std::string& text)
{
    return view.at("text").get<std::string>().find(text) != std::string::npos;
}

/// Whatever is on it.
void check_sound(const Json& view, const Web& web)
{
    CHECK(view.at("complaints") == Json::array());
    CHECK(view.at("pageWidth") == view.at("windowWidth"));
    CHECK(view.at("reachOut") == Json::array());
    CHECK(view.at("nameless") == 0);
    CHECK(view.at("scripts") == 1);
    const std::string own = "http://127.0.0.1:" + std::to_string(web.port()) + "/";
    for (const Json& request : view.at("requests"))
        CHECK(request.get<std::string>().starts_with(own));
}

}  // namespace

TEST_CASE("the page shows a busy node to people, on a desktop and on a phone", "[page]")
{
    Node node;
    const Web web(node);
    Pod first(node, {.name = "apisix-6c9d7f5b8-x2lqp",
                     .expose = "80:9080, 443:9443, 443:9443/udp",
                     .annotations = {{"sallyport.dev/hold", "15s"}, {"sallyport.dev/settle", "1s"}}});
    Pod second(node, {.name = "apisix-7f84b6d5c-9wkzt",
                      .expose = "80:9080, 443:9443, 443:9443/udp",
                      .annotations = {{"sallyport.dev/hold", "15s"}, {"sallyport.dev/settle", "1s"}}});
    Pod shared(node, {.name = "kong-proxy-0",
                      .kubernetes_namespace = "others",
                      .expose = "8443:8443",
                      .annotations = {{"sallyport.dev/share", "spread"}, {"sallyport.dev/remap", "9080:8443"}}});
    Pod injector(node, {.name = evil, .kubernetes_namespace = "others", .expose = "8080:8080"});
    std::vector<std::unique_ptr<TcpServer>> servers;
    servers.push_back(std::make_unique<TcpServer>(first.netns, "first", Target{"::", 9080}));
    servers.push_back(std::make_unique<TcpServer>(first.netns, "first", Target{"::", 9443}));
    UdpServer quic(first.netns, "first", {"::", 9443});
    require_ok(first.add());
    const SeenTraffic traffic(node);
    require_ok(shared.add());
    require_ok(injector.add());
    servers.push_back(std::make_unique<TcpServer>(shared.netns, "kong", Target{"::", 8443}));
    std::vector<std::unique_ptr<Connection>> open;
    for (int i = 0; i < 20; i++)
        open.push_back(std::make_unique<Connection>(node.client, Target{node_v4, 80}));
    require_ok(second.add());
    servers.push_back(std::make_unique<TcpServer>(second.netns, "second", Target{"::", 9080}));

    const Json views = look(node, web, "busy", evil_as_shown, {"1280", "390", "1280-dark", "390-dark"});
    REQUIRE(views.size() == 4);
    for (const Json& view : views) {
        INFO(view.dump(2));
        check_sound(view, web);
        for (const std::string& text :
             {first.full_name(), second.full_name(), shared.full_name(), "others/" + evil_as_shown,
              std::string("443/udp"), std::string("Nobody serves 8080/tcp"), first.v4 + ":9080", std::string("spread"),
              std::string("hold 15s"), std::string("ready"), std::string("live"), std::string("handover"),
              std::string("no longer to"), node_v4, std::string("eth0"), std::string("Remapped ports")})
            CHECK(shows(view, text));
        CHECK(view.at("images") == 1);  // our own
        CHECK(view.at("drawn") >= 4);
    }
}

TEST_CASE("the page of a node without gateways, and of an agent in trouble", "[page]")
{
    const Node node;
    Web web(node);
    AgentState state;
    state.alive = true;
    state.problems = {
        "Cilium removes our entry from its conflist (cni.exclusive); set `cni.exclusive=false` in its Helm values"};
    web.say(state);
    const Json views = look(node, web, "empty", "No port of this node is held", {"1280", "390"});
    for (const Json& view : views) {
        INFO(view.dump(2));
        check_sound(view, web);
        for (const char* text :
             {"not ready", "set `cni.exclusive=false`", "sallyport.dev/expose", "Nothing has happened"})
            CHECK(shows(view, text));
    }
}

TEST_CASE("the page of a node whose tables are another version's doesn't say that nobody holds a port", "[page]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    raise_abi(node.bpffs());
    const Web web(node);
    const Json views = look(node, web, "another-version", "tables are another version's", {"1280"});
    for (const Json& view : views) {
        INFO(view.dump(2));
        check_sound(view, web);
        CHECK_FALSE(shows(view, "No port"));
        CHECK_FALSE(shows(view, "Nothing has happened"));
    }
}
