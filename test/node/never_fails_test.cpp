// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// DEL never fails, nor does a plain pod because of us: whatever is broken of our state, our rights or our
// configuration.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"
#include "support/traps.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/mount.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <system_error>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

/// The plugin's call behind another program, such as one that takes rights away.
Answer call_behind(const std::vector<std::string>& words, const PluginCall& call, const Node& node)
{
    Invocation invocation = invocation_of(sallyport_binary(), call, node.host);
    invocation.argv.insert(invocation.argv.begin(), words.begin(), words.end());
    Output output = execute(invocation);
    return {output.status, std::move(output.out), std::move(output.err)};
}

void require_silent(const Answer& answer)
{
    require_ok(answer);
    CHECK(answer.out.empty());
}

/// ADD with its result handed on, CHECK and DEL.
void check_passes(Pod& plain, const Node& node, const std::vector<std::string>& behind = {})
{
    const Answer added = call_behind(behind, plain.call("ADD"), node);
    require_ok(added);
    CHECK(added.json() == plain.primary_result);
    plain.result = added.json();
    require_silent(call_behind(behind, plain.call("CHECK"), node));
    require_silent(call_behind(behind, plain.call("DEL"), node));
}

struct Breakage
{
    std::string what;
    std::function<void(Node&)> apply;
};

/// On a node where a gateway is bound.
std::vector<Breakage> breakages_of_state()
{
    std::vector<Breakage> all{
        {"bpffs is read-only",
         [](Node& node) {
             if (mount(nullptr, node.bpffs().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
                 throw std::system_error(errno, std::generic_category(), "remount");
         }},
        {"the lock is a directory",
         [](Node& node) {
             fs::remove(node.state_dir() / "lock");
             fs::create_directory(node.state_dir() / "lock");
         }},
    };
    for (const std::string name : {"pods", "meta", "node_ports", "pod_exposures", "traffic"}) {
        const auto pin = [name](const Node& node) { return node.bpffs() / "sallyport/maps" / name; };
        all.push_back({"a directory at maps/" + name, [pin](Node& node) {
                           fs::remove(pin(node));
                           fs::create_directory(pin(node));
                       }});
        all.push_back({"a program at maps/" + name, [pin](Node& node) {
                           fs::remove(pin(node));
                           fs::create_hard_link(node.bpffs() / "sallyport/programs/node_ingress", pin(node));
                       }});
        all.push_back({"another table at maps/" + name, [pin](Node& node) { pin_another_table(pin(node)); }});
        all.push_back({"a loop at maps/" + name, [pin](Node& node) {
                           fs::remove(pin(node));
                           fs::create_symlink(pin(node), pin(node));
                       }});
    }
    return all;
}

/// What an operator may get wrong in an entry written by hand, or a list have that we don't know.
std::vector<std::pair<std::string, Json>> breakages_of_entry()
{
    return {{"gatways", Json::object()},
            {"gateways", "all"},
            {"gateways", {{"namespace", "x"}}},
            {"devices", Json::array()},
            {"addresses", {"example.com"}},
            {"flows", {{"new", 1}}},
            {"localAccess", "yes"},
            {"fastPath", nullptr},
            {"bpffs", 7},
            {"bpffs", "relative"},
            {"cgroup", nullptr},
            {"stateDir", Json::array()},
            {"logFile", ""},
            {"logLevel", "loud"}};
}

Json no_attachments()
{
    return {{"cni.dev/valid-attachments", Json::array()}};
}

}  // namespace

TEST_CASE("DEL succeeds, and a plain pod passes, whatever stands where our state was", "[never fails]")
{
    for (const Breakage& breakage : breakages_of_state()) {
        INFO(breakage.what);
        Node node;
        node.cni_version = "1.1.0";
        Pod gateway(node, {.expose = "80:9080"});
        Pod plain(node, {.name = "plain"});
        require_ok(gateway.add());
        breakage.apply(node);
        check_passes(plain, node);
        require_silent(gateway.del());
        require_silent(gateway.del());
    }
}

TEST_CASE("DEL succeeds, and a plain pod passes, with as few descriptors as there are", "[never fails]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod plain(node, {.name = "plain"});
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    for (int descriptors = 3; descriptors < 24; descriptors++) {
        CAPTURE(descriptors);
        const std::vector<std::string> behind{"prlimit", "--nofile=" + std::to_string(descriptors)};
        check_passes(plain, node, behind);
        require_silent(call_behind(behind, gateway.call("DEL"), node));
    }
    require_silent(gateway.del());
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("DEL succeeds, and a plain pod passes, where bpf() is refused", "[never fails]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod plain(node, {.name = "plain"});
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const std::vector<std::string> behind{"setpriv", "--inh-caps=-all", "--bounding-set=-all"};
    check_passes(plain, node, behind);
    require_silent(call_behind(behind, gateway.call("DEL"), node));
    require_silent(gateway.del());
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("what a DEL couldn't remove is removed by the next gateway's ADD", "[never fails]")
{
    Node node;
    Pod gateway(node, {.name = "gone", .kubernetes_namespace = "others", .expose = "80:9080"});
    require_ok(gateway.add());
    const PluginCall del = gateway.call("DEL");
    require_silent(call_behind({"prlimit", "--nofile=5"}, del, node));
    gateway.netns.remove();

    Pod next(node, {.name = "next", .expose = "80:9080"});
    TcpServer server(next.netns, "next", {"::", 9080});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "next " + client_v4);
    CHECK(node.status().dump().find("gone") == std::string::npos);
    require_ok(next.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a wrong key in our entry is no matter to plain pods, nor to what ends", "[never fails]")
{
    for (const auto& [key, value] : breakages_of_entry()) {
        CAPTURE(key, value);
        Node node;
        node.cni_version = "1.1.0";
        const Json right = node.plugin;
        Pod gateway(node, {.expose = "80:9080"});
        Pod plain(node, {.name = "plain"});
        require_ok(gateway.add());
        node.plugin[key] = value;
        check_passes(plain, node);
        Pod refused(node, {.name = "refused", .expose = "443:9080"});
        CHECK_FALSE(refused.add().ok());
        require_silent(node.call("STATUS"));  // else the whole node would be NotReady
        require_silent(gateway.del());
        require_silent(node.call("GC", no_attachments()));
        if (key != "bpffs" && key != "stateDir")
            CHECK(node.footprint() == nothing);

        node.plugin = right;
        require_silent(gateway.del());
        CHECK(node.footprint() == nothing);
    }
}

TEST_CASE("a list that we don't know is no matter to plain pods, nor to DEL", "[never fails]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod gateway(node, {.expose = "80:9080"});
    Pod plain(node, {.name = "plain"});
    require_ok(gateway.add());
    SECTION("of a later version")
    {
        node.cni_version = "2.0.0";
        plain.primary_result["cniVersion"] = "2.0.0";
    }
    SECTION("without a name")
    {
        node.network = "";
    }
    check_passes(plain, node);
    require_silent(gateway.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a plain pod passes with as many annotations of others as Kubernetes allows, as Go writes them",
          "[never fails]")
{
    Node node;
    node.cni_version = "1.1.0";
    Pod plain(node, {.name = "plain", .annotations = {{"example.com/page", std::string(256 * 1024, '<')}}});
    const auto call_with = [&](const std::string& command) {
        PluginCall call = plain.call(command);
        std::string escaped;
        for (const char c : call.stdin_text)
            escaped += c == '<' ? "\\u003c" : std::string{c};
        call.stdin_text = escaped;
        return call_plugin(sallyport_binary(), call, node.host);
    };
    const Answer added = call_with("ADD");
    require_ok(added);
    CHECK(added.json() == plain.primary_result);
    require_silent(call_with("CHECK"));
    require_silent(call_with("DEL"));
}

TEST_CASE("DEL succeeds with a configuration that can't be read at all", "[never fails]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    PluginCall del = gateway.call("DEL");
    for (const std::string text : {"", "{", "[]", "null"}) {
        CAPTURE(text);
        del.stdin_text = text;
        require_silent(call_plugin(sallyport_binary(), del, node.host));
    }
    require_ok(gateway.del());
    CHECK(node.footprint() == nothing);
}
