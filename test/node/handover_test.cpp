// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who takes a new connection while pods come, listen, settle, drain and go; as a client sees it.
#include "support/echo.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <poll.h>

#include <map>
#include <memory>
#include <thread>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

PodSpec spec(const std::string& name, std::map<std::string, std::string> annotations = {})
{
    return {.name = name, .expose = "80:9080, 443:9443/udp", .annotations = std::move(annotations)};
}

/// The name of the pod that answers.
std::string who(const Node& node, const std::string& address = node_v4)
{
    const std::string answer = ask_tcp(node.client, {address, 80});
    return answer.substr(0, answer.find(' '));
}

std::string who_udp(const Node& node, const DialOptions& options = {})
{
    const std::string answer = ask_udp(node.client, {node_v4, 443}, options);
    return answer.substr(0, answer.find(' '));
}

}  // namespace

TEST_CASE("with settle, the older pod goes on until the younger has listened that long", "[handover][settle]")
{
    Node node;
    const std::map<std::string, std::string> settle{{"sallyport.dev/settle", "5s"}};
    Pod older(node, spec("older", settle));
    Pod younger(node, spec("younger", settle));
    const TcpServer first(older.netns, "older", {"::", 9080});
    require_ok(older.add());
    CHECK(who(node) == "older");  // alone, it needn't settle
    require_ok(younger.add());
    CHECK(who(node) == "older");

    auto second = std::make_unique<TcpServer>(younger.netns, "younger", Target{"::", 9080});
    CHECK(who(node) == "older");  // from now on it is known to listen
    CHECK(who(node, node_v6) == "older");
    second.reset();
    CHECK(who(node) == "older");
    CHECK(who(node, node_v6) == "older");
    second = std::make_unique<TcpServer>(younger.netns, "younger", Target{"::", 9080});
    std::string taker;
    const auto end = std::chrono::steady_clock::now() + patience;
    while ((taker = who(node)) == "older" && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(50ms);
    CHECK(taker == "younger");
}

TEST_CASE("a younger pod that hasn't settled takes over at once where the older one is gone", "[handover][settle]")
{
    Node node;
    const std::map<std::string, std::string> settle{{"sallyport.dev/settle", "60s"}};
    Pod older(node, spec("older", settle));
    Pod younger(node, spec("younger", settle));
    auto first = std::make_unique<TcpServer>(older.netns, "older", Target{"::", 9080});
    const TcpServer second(younger.netns, "younger", {"::", 9080});
    require_ok(older.add());
    require_ok(younger.add());
    CHECK(who(node) == "older");
    first.reset();
    CHECK(who(node) == "younger");
    CHECK(who(node, node_v6) == "younger");
}

TEST_CASE("a listener that closes drains: its connections go on, new ones go elsewhere", "[handover]")
{
    Node node;
    Pod older(node, spec("older"));
    Pod younger(node, spec("younger"));
    const TcpServer first(older.netns, "older", {"::", 9080});
    require_ok(older.add());
    require_ok(younger.add());
    // A server that hands its connection over to the test, then stops to listen, as a draining gateway does.
    sallyport::UniqueFd listener = bound_socket(younger.netns, {"::", 9080}, SOCK_STREAM);
    Connection kept(node.client, {node_v4, 80});
    REQUIRE(wait_for(listener.get(), POLLIN, patience));
    const sallyport::UniqueFd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(accepted);
    listener = sallyport::UniqueFd();

    CHECK(who(node) == "older");
    for (int i = 0; i < 3; i++) {
        CHECK(send_all(accepted.get(), "still here\n"));
        CHECK(kept.read_line() == "still here");
        CHECK(who(node) == "older");
    }
}

TEST_CASE("DEL of one pod leaves the others' connections alone", "[handover]")
{
    Node node;
    const std::string share = GENERATE("newest", "spread");
    CAPTURE(share);
    std::vector<std::unique_ptr<Pod>> pods;
    std::vector<std::unique_ptr<EchoServer>> servers;
    std::vector<std::unique_ptr<EchoClient>> clients;
    for (const char* name : {"a", "b", "c"}) {
        pods.push_back(std::make_unique<Pod>(
            node,
            PodSpec{.name = name, .expose = "80:9080, 80:9080/udp", .annotations = {{"sallyport.dev/share", share}}}));
        servers.push_back(std::make_unique<EchoServer>(pods.back()->netns, Target{"::", 9080}));
        require_ok(pods.back()->add());
        for (int i = 0; i < 40; i++)
            clients.push_back(std::make_unique<EchoClient>(node.client, i % 4 < 2 ? IPPROTO_TCP : IPPROTO_UDP,
                                                           Target{i % 2 == 0 ? node_v4 : node_v6, 80}));
        for (const auto& client : clients)
            REQUIRE(client->echo("hello") == "");
    }
    // The middle one goes, without a word to its clients: those of the other two don't notice.
    const auto heard = [&] {
        std::size_t count = 0;
        for (const auto& client : clients)
            client->send("after");
        std::this_thread::sleep_for(impatience);
        for (const auto& client : clients)
            count += client->waiting() == "after" ? 1 : 0;
        return count;
    };
    CHECK(heard() == clients.size());
    servers[1].reset();
    require_ok(pods[1]->del());
    const std::size_t left = heard();
    CHECK(left >= 2 * clients.size() / 3 - (share == "spread" ? clients.size() / 6 : 0));
    CHECK(left < clients.size());
}

TEST_CASE("share: spread reaches every pod, and keeps each datagram flow with one", "[handover][spread]")
{
    Node node;
    std::vector<std::unique_ptr<Pod>> pods;
    std::vector<std::unique_ptr<TcpServer>> tcp;
    std::vector<std::unique_ptr<UdpServer>> udp;
    for (const char* name : {"a", "b", "c", "d"}) {
        pods.push_back(std::make_unique<Pod>(node, spec(name, {{"sallyport.dev/share", "spread"}})));
        tcp.push_back(std::make_unique<TcpServer>(pods.back()->netns, name, Target{"::", 9080}));
        udp.push_back(std::make_unique<UdpServer>(pods.back()->netns, name, Target{"::", 9443}));
        require_ok(pods.back()->add());
    }
    std::map<std::string, int> over_tcp, over_udp;
    for (std::uint16_t i = 0; i < 200; i++) {
        over_tcp[who(node)]++;
        const DialOptions from_one_port{.source = Target{client_v4, static_cast<std::uint16_t>(30000 + i)}};
        const std::string first = who_udp(node, from_one_port);
        over_udp[first]++;
        REQUIRE(who_udp(node, from_one_port) == first);
    }
    for (const char* name : {"a", "b", "c", "d"}) {  // a fair share is 50
        CHECK(over_tcp[name] > 20);
        CHECK(over_udp[name] > 20);
    }
}

TEST_CASE("listeners of one family or of both are found as they are", "[handover]")
{
    Node node;
    Pod gateway(node, spec("gateway"));
    require_ok(gateway.add());
    {
        const TcpServer v4_only(gateway.netns, "v4", {"0.0.0.0", 9080});
        CHECK(who(node, node_v4) == "v4");
        CHECK(who(node, node_v6) == "refused");
    }
    {
        const TcpServer own_address(gateway.netns, "own", {gateway.v6, 9080});
        CHECK(who(node, node_v4) == "refused");
        CHECK(who(node, node_v6) == "own");
    }
    {
        const TcpServer elsewhere(gateway.netns, "local", {"127.0.0.1", 9080});  // nobody from outside may reach it
        CHECK(who(node, node_v4) == "refused");
    }
    const TcpServer both(gateway.netns, "both", {"::", 9080});
    CHECK(who(node, node_v4) == "both");
    CHECK(who(node, node_v6) == "both");
}
