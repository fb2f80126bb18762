// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport status`, for people and as JSON.
#include "sallyport/cli/text.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/tool.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/mount.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <sstream>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

/// The entry of a node port; fails the test where there is none, or more than one.
Json node_port(const Json& status, const std::string& address, int port, const std::string& protocol)
{
    Json found;
    for (const Json& entry : status.at("nodePorts")) {
        if (entry.at("address") != address || entry.at("port") != port || entry.at("protocol") != protocol)
            continue;
        CHECK(found.is_null());
        found = entry;
    }
    INFO(status.dump(2));
    REQUIRE_FALSE(found.is_null());
    return found;
}

}  // namespace

TEST_CASE("status of a node without gateways", "[status]")
{
    const Node node;
    const Output table = node.tool({"status"});
    CHECK(table.status == 0);
    CHECK(table.out.starts_with("No pod holds a port of this node.\n"));
    CHECK(table.out.find("sallyport.dev/expose") != std::string::npos);
    CHECK(node.status().at("nodePorts") == Json::array());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("status --json says who has which port, who takes new connections, and why", "[status]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = "80:9080, 443:9443/udp"});
    Pod younger(node, {.name = "younger", .expose = "80:9080"});
    require_ok(older.add());
    require_ok(younger.add());
    TcpServer server(older.netns, "older", {"::", 9080});

    Json http = node_port(node.status(), "0.0.0.0", 80, "tcp");
    CHECK(http.at("share") == "newest");
    REQUIRE(http.at("pods").size() == 2);  // youngest first
    const Json& first = http.at("pods").at(0);
    const Json& second = http.at("pods").at(1);
    CHECK(first.at("pod") == "younger");
    CHECK(first.at("namespace") == "gateways");
    CHECK(first.at("containerID") == younger.container_id);
    CHECK(first.at("address") == younger.v4);
    CHECK(first.at("containerPort") == 9080);
    CHECK(first.at("listening") == false);
    CHECK(first.at("takesNew") == false);
    CHECK_FALSE(first.at("why").get<std::string>().empty());
    CHECK(second.at("pod") == "older");
    CHECK(second.at("listening") == true);
    CHECK(second.at("takesNew") == true);

    TcpServer also(younger.netns, "younger", {"::", 9080});
    http = node_port(node.status(), "::", 80, "tcp");
    CHECK(http.at("pods").at(0).at("takesNew") == true);
    CHECK(http.at("pods").at(1).at("listening") == true);
    CHECK(http.at("pods").at(1).at("takesNew") == false);

    const Json udp = node_port(node.status(), "0.0.0.0", 443, "udp");
    REQUIRE(udp.at("pods").size() == 1);
    CHECK(udp.at("pods").at(0).at("listening") == false);
}

TEST_CASE("status --json names devices and addresses", "[status]")
{
    Node node;
    node.plugin["addresses"] = {"192.0.2.0/28"};
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const Json status = node.status();
    CHECK(status.at("devices") == Json::array({"eth0"}));
    const auto addresses = status.at("addresses").get<std::vector<std::string>>();
    for (const std::string& address : {node_v4 + "/32", node_v6 + "/128", std::string("192.0.2.0/28")}) {
        CAPTURE(address);
        CHECK(std::count(addresses.begin(), addresses.end(), address) == 1);
    }
}

TEST_CASE("status counts connections, packets, bytes and live flows", "[status]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080, 8000:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    for (int i = 0; i < 5; i++)
        REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
    REQUIRE(transfer_both_ways(node.client, {node_v4, 80}, 1'000'000) == "");
    Connection open(node.client, {node_v4, 80});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");

    const Json status = node.status();
    const Json http = node_port(status, "0.0.0.0", 80, "tcp");
    CHECK(http.at("connectionsTotal") == 8);
    for (const char* direction : {"fromClient", "fromPod"}) {
        CHECK(http.at("bytes").at(direction) > 1'000'000);
        CHECK(http.at("bytes").at(direction) < 1'500'000);
        CHECK(http.at("packets").at(direction) > 20);
    }
    CHECK(http.at("pods").at(0).at("flows") == 1);
    CHECK(status.at("flows").at("established") >= 1);
    CHECK(node_port(status, "0.0.0.0", 8000, "tcp").at("connectionsTotal") == 0);
    CHECK(node_port(status, "::", 80, "tcp").at("connectionsTotal") == 0);
}

TEST_CASE("the table has a line for each pod of each node port", "[status]")
{
    Node node;
    Pod gateway(node, {.name = "apisix-1", .expose = "80:9080"});
    Pod second(node, {.name = "apisix-2", .expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    require_ok(second.add());
    const Output table = node.tool({"status"});
    INFO(table.out << table.err);
    REQUIRE(table.status == 0);
    CHECK(table.out.find("\n80/tcp ") != std::string::npos);  // IPv4 and IPv6 alike
    CHECK(table.out.find("gateways/apisix-1") != std::string::npos);
    CHECK(table.out.find("gateways/apisix-2") != std::string::npos);
    CHECK(table.out.find(gateway.v4 + ":9080") != std::string::npos);
    CHECK(table.out.find('\x1b') == std::string::npos);  // no colours where no terminal reads
}

TEST_CASE("a port whose families differ has a line for each", "[status]")
{
    Node node;
    Pod gateway(node, {.name = "apisix-1", .expose = "80:9080"});
    require_ok(gateway.add());
    TcpServer server(gateway.netns, "gateway", {"0.0.0.0", 9080});
    const Output table = node.tool({"status"});
    INFO(table.out << table.err);
    CHECK(table.out.find("0.0.0.0:80/tcp") != std::string::npos);
    CHECK(table.out.find("[::]:80/tcp") != std::string::npos);
    CHECK(table.out.find("nothing listens on [" + gateway.v6 + "]:9080/tcp") != std::string::npos);
}

TEST_CASE("status --watch goes on until it is stopped, over the state's end", "[status]")
{
    Node node;
    Follower watch(node, "status --watch 0.2");
    CHECK(watch.prints("No pod holds a port"));
    {
        Pod gateway(node, {.name = "apisix-1", .expose = "80:9080"});
        require_ok(gateway.add());
        CHECK(watch.prints("gateways/apisix-1", 2));
        require_ok(gateway.del());
    }
    const std::size_t before = watch.count("No pod holds a port");
    CHECK(watch.prints("No pod holds a port", before + 1));
    const Output end = watch.stop(SIGTERM);
    CHECK(end.status == 0);
    CHECK(end.err.empty());
    CHECK(watch.count("\x1b") == 0);
}

TEST_CASE("status --watch --json prints an object a line, with rates", "[status]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    Follower watch(node, "status --watch 0.5 --json");
    REQUIRE(watch.prints("nodePorts"));
    const auto end = std::chrono::steady_clock::now() + patience;
    std::string rates;
    while (rates.empty() && std::chrono::steady_clock::now() < end) {
        CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
        std::istringstream in(watch.text());
        for (std::string line; std::getline(in, line) && !in.eof();)
            if (node_port(Json::parse(line), "0.0.0.0", 80, "tcp").at("rates").at("connectionsPerSecond") > 0)
                rates = line;
    }
    CHECK_FALSE(rates.empty());
    CHECK(watch.stop(SIGINT).status == 0);
}

TEST_CASE("on a terminal, status has colours and fits, and --watch gives the screen back", "[status]")
{
    Node node;
    Pod gateway(node, {.name = "a-gateway-with-quite-a-long-name-7d9c8b6f5-x2x4z", .expose = "80:9080"});
    require_ok(gateway.add());
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    const auto on_terminal = [&](const std::string& words, const std::string& before = "") {
        const std::string command =
            "stty cols 80 rows 24; export TERM=xterm LANG=C.UTF-8; " + before + tool_command(node, words);
        return execute({.argv = {"script", "-qec", command, "/dev/null"}, .netns = &node.host});
    };
    const Output once = on_terminal("status");
    INFO(once.out << once.err);
    CHECK(once.status == 0);
    CHECK(once.out.find("\x1b[32myes\x1b[0m") != std::string::npos);
    CHECK(once.out.find("└ ") != std::string::npos);  // the reason, below its row
    std::istringstream plain(on_terminal("status --color never").out);
    for (std::string line; std::getline(plain, line);) {
        line.erase(line.find_last_not_of("\r\n") + 1);
        CAPTURE(line);
        CHECK(line.find('\x1b') == std::string::npos);
        CHECK(sallyport::display_width(line) <= 80);
    }

    const Output watch = on_terminal("status --watch 0.2", "timeout --foreground --preserve-status -s INT 2 ");
    CHECK(watch.status == 0);
    CHECK(watch.out.starts_with("\x1b[?1049h"));
    CHECK(watch.out.ends_with("\x1b[?1049l"));
}

TEST_CASE("the tool's other words", "[status]")
{
    const Node node;
    const Output version = execute({.argv = {sallyport_binary(), "version"}, .netns = &node.host});
    CHECK(version.status == 0);
    CHECK(version.out.find("ABI") != std::string::npos);
    for (const char* wrong : {"statistics", "--frobnicate"}) {
        const Output output = execute({.argv = {sallyport_binary(), wrong}, .netns = &node.host});
        CHECK(output.status != 0);
        CHECK_FALSE(output.err.empty());
    }
}

TEST_CASE("where the state can't be seen from here, nobody says that no pod holds a port", "[status]")
{
    Node node;
    const fs::path elsewhere = node.directory() / "elsewhere";
    fs::create_directory(elsewhere);
    const auto run = [&](const std::string& command) {
        return execute({.argv = {sallyport_binary(), command, "--bpffs", elsewhere.string()}, .netns = &node.host});
    };
    const auto check_refusals = [&] {
        for (const std::string command : {"status", "flows"}) {
            const Output output = run(command);
            INFO(output.out << output.err);
            CHECK(output.status == 1);
            CHECK(output.out.empty());
            CHECK(output.err.find("our programs run at eth0") != std::string::npos);
        }
        const Output doctor = run("doctor");
        INFO(doctor.out);
        CHECK(doctor.status == 1);
        CHECK(doctor.out.find("our programs run at eth0") != std::string::npos);
        CHECK(doctor.out.find("no gateway pod has come yet") == std::string::npos);
    };
    CHECK(run("status").status == 0);  // of a node that nobody has used yet
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    check_refusals();
    REQUIRE(mount("bpf", elsewhere.c_str(), "bpf", 0, nullptr) == 0);  // as in a container that mounts its own
    check_refusals();
    CHECK(node.tool({"status"}).status == 0);
    require_ok(gateway.del());
    CHECK(run("status").status == 0);
    umount2(elsewhere.c_str(), MNT_DETACH);
}

TEST_CASE("nothing in a pod's name acts on the terminal", "[status]")
{
    Node node;
    Pod gateway(node, {.name = "a\xc2\x9b"
                               "2Jb\xe2\x80\xaegnp\x9b",
                       .expose = "80:9080"});
    require_ok(gateway.add());
    for (const std::string command : {"status", "trace"}) {
        const Output output = node.tool(command == "trace" ? std::vector<std::string>{command, "--no-follow"}
                                                           : std::vector<std::string>{command});
        INFO(output.out << output.err);
        CHECK(output.status == 0);
        CHECK(output.out.find("a?2Jb?gnp?") != std::string::npos);
        CHECK(output.out.find('\x9b') == std::string::npos);
        CHECK(output.out.find("\xe2\x80\xae") == std::string::npos);
    }
}
