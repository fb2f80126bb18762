// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod that is gone is nobody, and nobody inherits from it: its namespace ended, no DEL came, and no agent runs. What
// the kernel and the IPAM give to the next pod (ids of namespaces, addresses) makes that no heir.
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"

#include "sallyport/os/netlink.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <thread>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

PodSpec gateway_spec(const std::string& hold = "0s")
{
    return {.name = "gone", .expose = "80:9080, 443:9080/udp", .annotations = {{"sallyport.dev/hold", hold}}};
}

PodSpec plain_spec(unsigned address_number = 0)
{
    return {.name = "plain", .kubernetes_namespace = "nobodys", .address_number = address_number};
}

/// Ends the pod as a runtime without DEL would, and waits for the kernel: it takes a namespace apart after it is gone.
void vanish(const Node& node, Pod& pod)
{
    const std::string device = pod.primary_result["interfaces"][0]["name"];
    pod.netns.remove();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (node.host.run([&] { return if_nametoindex(device.c_str()); }) != 0) {
        REQUIRE(std::chrono::steady_clock::now() < end);
        std::this_thread::sleep_for(1ms);
    }
    node.host.ip("link set lo up\n");  // waits until the kernel has told everybody of the device's end: our table too
}

std::uint32_t id_of(const Node& node, const Pod& pod)
{
    return node.host.run([&] { return sallyport::netns_id_of(pod.netns.fd()); });
}

/// What a client hears from the node port, of every family and protocol.
void check_nobody_answers(const Namespace& from)
{
    for (const std::string& address : {node_v4, node_v6}) {
        CAPTURE(address);
        CHECK(ask_tcp(from, {address, 80}, {.limit = impatience}) == "refused");
        CHECK(ask_udp(from, {address, 443}, {.limit = impatience}) == "refused");
    }
}

/// The same, and what a process of the node hears.
void check_nobody_answers_anybody(const LocalNode& node)
{
    check_nobody_answers(node.client);
    const Stay stay(node.cgroup, processes);
    check_nobody_answers(node.host);
}

/// A pod without our annotations that listens where the gateway did.
struct PlainServer
{
    PlainServer(Node& node, unsigned address_number = 0) : pod(node, plain_spec(address_number)) {}

    Pod pod;
    TcpServer tcp{pod.netns, "plain", {"::", 9080}};
    UdpServer udp{pod.netns, "plain", {"::", 9080}};
};

}  // namespace

TEST_CASE("a plain pod with a gone gateway's namespace id isn't taken for it", "[identity]")
{
    LocalNode node;
    Pod gateway(node, gateway_spec(GENERATE("0s", "15s")));
    require_ok(gateway.add());
    const std::uint32_t id = id_of(node, gateway);
    vanish(node, gateway);

    PlainServer plain(node);
    REQUIRE(id_of(node, plain.pod) == id);
    require_ok(plain.pod.add());
    check_nobody_answers_anybody(node);
    const std::string status = node.status().dump();
    CHECK(status.find("\"takesNew\":true") == std::string::npos);
    CHECK(status.find("\"listening\":true") == std::string::npos);
    CHECK(status.find("its network namespace has ended") != std::string::npos);
    CHECK(node.tool({"doctor"}).out.find("gateways/gone") != std::string::npos);
}

TEST_CASE("a plain pod with a gone gateway's address doesn't answer in its place", "[identity]")
{
    LocalNode node;
    Pod gateway(node, gateway_spec());
    const bool at_once = GENERATE(false, true);  // or when the kernel has taken the old namespace apart
    CAPTURE(at_once);
    require_ok(gateway.add());
    std::optional<TcpServer> tcp(std::in_place, gateway.netns, "gone", Target{"::", 9080});
    std::optional<UdpServer> udp(std::in_place, gateway.netns, "gone", Target{"::", 9080});
    // Who was connected doesn't come to the next pod either.
    const sallyport::UniqueFd connected = dial(node.client, IPPROTO_UDP, {node_v4, 443});
    REQUIRE(send(connected.get(), "who", 3, 0) == 3);
    REQUIRE(wait_for(connected.get(), POLLIN, patience));
    char buffer[64];
    REQUIRE(recv(connected.get(), buffer, sizeof buffer, 0) > 0);
    udp.reset();
    tcp.reset();
    if (at_once)
        gateway.netns.remove();
    else
        vanish(node, gateway);

    PlainServer plain(node, gateway.address_number());
    REQUIRE(plain.pod.v4 == gateway.v4);
    require_ok(plain.pod.add());
    check_nobody_answers_anybody(node);
    for (int i = 0; i < 3; i++) {
        send(connected.get(), "who", 3, 0);
        if (wait_for(connected.get(), POLLIN, 200ms))
            CHECK(recv(connected.get(), buffer, sizeof buffer, 0) < 0);
    }
    CHECK(ask_tcp(node.client, {plain.pod.v4, 9080}) == "plain " + client_v4);
    CHECK(ask_udp(node.client, {plain.pod.v4, 9080}).starts_with("plain " + client_v4));
    CHECK(node.footprint() == nothing);  // it was the last one
}

TEST_CASE("the same address in another network is another pod's, and ends nobody", "[identity]")
{
    Node node;
    Pod gateway(node, {.name = "gateway", .expose = "80:9080"});
    const TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    node.network = "another";
    const Namespace elsewhere("elsewhere-of-" + node.host.name());
    Pod second(node, plain_spec());
    PluginCall call = second.call("ADD");
    Json config = Json::parse(call.stdin_text);
    config["prevResult"]["ips"] = gateway.primary_result["ips"];
    call.stdin_text = config.dump();
    require_ok(call_plugin(sallyport_binary(), call, node.host));
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);
}

TEST_CASE("a gone pod's port can be bound, and is taken by the next gateway of any namespace", "[identity][reserve]")
{
    LocalNode node;
    Pod gateway(node, gateway_spec(GENERATE("0s", "15s")));
    require_ok(gateway.add());
    const bool leaked = GENERATE(false, true);  // the namespace stays, but the primary plugin has taken its device away
    CAPTURE(leaked);
    if (leaked)
        gateway.netns.ip("link del eth0\n");
    else
        vanish(node, gateway);
    {
        const Stay stay(node.cgroup, processes);
        CHECK_NOTHROW(bound_socket(node.host, {"0.0.0.0", 80}, SOCK_STREAM));
        CHECK_NOTHROW(bound_socket(node.host, {"::", 443}, SOCK_DGRAM));
    }
    check_nobody_answers(node.client);

    Pod next(node, {.name = "next", .kubernetes_namespace = "others", .expose = "80:9080"});
    const TcpServer server(next.netns, "next", {"::", 9080});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "next " + client_v4);
    CHECK(node.status().dump().find("gone") == std::string::npos);
}

TEST_CASE("connections to a gone pod end, and don't time out", "[identity]")
{
    Node node;
    Pod gateway(node, gateway_spec());
    require_ok(gateway.add());
    std::optional<TcpServer> server(std::in_place, gateway.netns, "gone", Target{"::", 9080});
    Connection open(node.client, {node_v4, 80});
    open.send("echo\n");
    REQUIRE(open.read_line() == "ready");
    // Its processes are killed with all their sockets, which sends nothing: the device is down before.
    gateway.netns.ip("link del eth0\n");
    server.reset();
    const auto begin = std::chrono::steady_clock::now();
    open.send("still there?\n");
    CHECK(open.read_line().empty());
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("a plain pod's DEL forgets who went without one", "[identity]")
{
    Node node;
    Pod gateway(node, gateway_spec());
    require_ok(gateway.add());
    Pod plain(node, plain_spec());
    require_ok(plain.add());
    require_ok(plain.del());
    REQUIRE(node.footprint() != nothing);
    Pod another(node, plain_spec());
    require_ok(another.add());
    vanish(node, gateway);
    require_ok(another.del());
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("a lost table of the living is made anew from what else is known", "[identity]")
{
    Node node;
    Pod staying(node, {.name = "staying", .expose = "80:9080"});
    const TcpServer server(staying.netns, "staying", {"::", 9080});
    require_ok(staying.add());
    Pod gone(node, {.name = "gone", .expose = "8000:9080"});
    require_ok(gone.add());
    std::filesystem::remove(node.bpffs() / "sallyport/maps/living");
    vanish(node, gone);
    Pod next(node, {.name = "next", .expose = "443:9080"});
    require_ok(next.add());
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "staying " + client_v4);
    CHECK(ask_tcp(node.client, {node_v4, 8000}) == "refused");
    CHECK(node.status().dump().find("gone") == std::string::npos);
    require_ok(next.del());
    require_ok(staying.del());
    CHECK(node.footprint() == nothing);
}
