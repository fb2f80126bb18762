// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who serves: pods whose socket nobody sees, sockets that won't answer, and what Kubernetes says of both.
#include "sallyport/datapath.hpp"
#include "support/hidden_server.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <atomic>
#include <map>
#include <optional>
#include <thread>

using namespace sallyport::test;
using namespace std::chrono_literals;
using sallyport::Readiness;
using sallyport::Word;

namespace {

/// gVisor is fetched by `make gvisor`, which tries it alone.
std::vector<Hiding> every_hiding()
{
    if (!runsc().empty())
        return {Hiding::gvisor};
    return {Hiding::redirect, Hiding::elsewhere, Hiding::tproxy, Hiding::bound_device, Hiding::machine};
}

const std::string both_ports = "80:9080, 443:9080/udp";

/// What the agent does with what the API server tells it.
void say(const Node& node, const Pod& pod, const Word& word)
{
    auto datapath = sallyport::Datapath::find({.bpffs = node.bpffs()});
    REQUIRE(datapath);
    for (const sallyport::BoundPod& bound : datapath->bindings().pods())
        if (bound.id.container_id == pod.container_id)
            datapath->bindings().hear({{bound.generation, word}});
}

/// Clients that connect, ask and leave, one after the other, over both families; what they heard.
class AskingClients
{
public:
    AskingClients(const Node& node, std::chrono::microseconds pause) : node_(node), pause_(pause)
    {
        thread_ = std::thread([this] { ask_until_stopped(); });
    }
    ~AskingClients() { stop(); }

    /// How often each answer came, by its first word.
    const std::map<std::string, int>& stop()
    {
        stop_ = true;
        if (thread_.joinable())
            thread_.join();
        return heard_;
    }

    int count() const { return count_; }

    void wait_for(int more) const
    {
        const int until = count_ + more;
        const auto end = std::chrono::steady_clock::now() + patience;
        while (count_ < until && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(1ms);
    }

private:
    void ask_until_stopped()
    {
        for (int i = 0; !stop_; i++) {
            heard_[name_in(ask_tcp(node_.client, {i % 2 == 0 ? node_v4 : node_v6, 80}))]++;
            count_++;
            std::this_thread::sleep_for(pause_);
        }
    }

    const Node& node_;
    std::chrono::microseconds pause_;
    std::map<std::string, int> heard_;
    std::atomic<int> count_{0};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

std::string why_of(const Node& node, const Pod& pod)
{
    const Json status = node.status();
    for (const Json& port : status.at("nodePorts"))
        for (const Json& held : port.at("pods"))
            if (held.at("containerID") == pod.container_id)
                return held.at("why");
    return "not there";
}

}  // namespace

TEST_CASE("a pod that answers is reached, though no socket is seen in it", "[serves]")
{
    const Hiding hiding = GENERATE(from_range(every_hiding()));
    CAPTURE(name_of(hiding));
    LocalNode node;
    Pod gateway(node, spec_for(hiding, {.name = "gateway", .expose = both_ports}));
    require_ok(gateway.add());
    const HiddenServer server(node, gateway, hiding);
    for (const auto& [address, own] : {std::pair(node_v4, client_v4), std::pair(node_v6, client_v6)}) {
        CAPTURE(address);
        const std::string tcp = ask_tcp(node.client, {address, 80});
        CHECK(tcp == (server.shows_client() ? "gateway " + own : tcp));
        CHECK(name_in(tcp) == "gateway");
        if (server.has_udp())
            CHECK(name_in(ask_udp(node.client, {address, 443})) == "gateway");
    }
    CHECK(node.status().at("nodePorts").at(0).at("pods").at(0).at("witness") == "answer");

    const Stay stay(node.cgroup, processes);
    for (const std::string& address : {node_v4, node_v6, std::string("127.0.0.1"), std::string("::1")}) {
        CAPTURE(address);
        CHECK(name_in(ask_tcp(node.host, {address, 80})) == "gateway");
    }
}

TEST_CASE("such a pod is handed over to and from without a failed connection, once Kubernetes calls it Ready",
          "[serves]")
{
    const Hiding hiding = GENERATE(from_range(every_hiding()));
    CAPTURE(name_of(hiding));
    Node node;
    Pod older(node, {.name = "older", .expose = both_ports});
    require_ok(older.add());
    std::optional<TcpServer> first(std::in_place, older.netns, "older", Target{"::", 9080});
    AskingClients clients(node, 500us);
    clients.wait_for(20);

    Pod hidden(node, spec_for(hiding, {.name = "hidden", .expose = both_ports}));
    require_ok(hidden.add());
    say(node, hidden, {.readiness = Readiness::not_ready, .reason = "ContainersNotReady"});
    clients.wait_for(20);
    const HiddenServer server(node, hidden, hiding);
    say(node, hidden, {.readiness = Readiness::ready});
    clients.wait_for(50);
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "hidden");
    CHECK(name_in(ask_tcp(node.client, {node_v6, 80})) == "hidden");
    say(node, older, {.ending = true});
    first.reset();
    clients.wait_for(50);

    // And from it, to an ordinary one.
    Pod next(node, {.name = "next", .expose = both_ports});
    require_ok(next.add());
    clients.wait_for(20);
    const TcpServer third(next.netns, "next", {"::", 9080});
    say(node, next, {.readiness = Readiness::ready});
    say(node, hidden, {.ending = true});
    clients.wait_for(50);
    const auto& heard = clients.stop();
    for (const auto& [name, times] : heard) {
        CAPTURE(name, times);
        CHECK((name == "older" || name == "hidden" || name == "next"));
    }
    CHECK(heard.size() == 3);
}

TEST_CASE("a pod that is ending gets nothing new, though its server goes on listening", "[serves]")
{
    const std::string share = GENERATE("newest", "spread");
    CAPTURE(share);
    Node node;
    Pod older(node, {.name = "older", .expose = "80:9080", .annotations = {{"sallyport.dev/share", share}}});
    Pod younger(node, {.name = "younger", .expose = "80:9080", .annotations = {{"sallyport.dev/share", share}}});
    const TcpServer first(older.netns, "older", {"::", 9080});
    const TcpServer second(younger.netns, "younger", {"::", 9080});
    require_ok(older.add());
    require_ok(younger.add());
    Connection before(node.client, {node_v4, 80});
    before.send("echo\n");
    REQUIRE(before.read_line() == "ready");

    const auto since = std::chrono::steady_clock::now() - 3s;
    const auto ending = [&] {
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since);
        return "ending since " + std::to_string(age.count()) + "s";
    };
    say(node, younger, {.ending = true, .since = since});
    for (int i = 0; i < 50; i++)
        CHECK(name_in(ask_tcp(node.client, {i % 2 == 0 ? node_v4 : node_v6, 80})) == "older");
    before.send("still here\n");
    CHECK(before.read_line() == "still here");
    const std::string earliest = ending();
    const std::string why = why_of(node, younger);
    CHECK((why == earliest || why == ending()));

    say(node, older, {.ending = true});
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) != "refused");  // nobody else is left
}

TEST_CASE("a pod that isn't Ready gets nothing while a Ready one serves", "[serves]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = "80:9080"});
    Pod younger(node, {.name = "younger", .expose = "80:9080"});
    const TcpServer first(older.netns, "older", {"::", 9080});
    const TcpServer second(younger.netns, "younger", {"::", 9080});
    require_ok(older.add());
    require_ok(younger.add());
    say(node, older, {.readiness = Readiness::ready});
    say(node, younger, {.readiness = Readiness::not_ready, .reason = "ContainersNotReady"});
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "older");
    CHECK(why_of(node, younger) == "not Ready: ContainersNotReady");
    say(node, younger, {.readiness = Readiness::ready});
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "younger");
    say(node, older, {.readiness = Readiness::not_ready});
    say(node, younger, {.readiness = Readiness::not_ready});
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "younger");
}

TEST_CASE("a pod that refuses moves the client to who serves", "[serves]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = both_ports});
    Pod younger(node, {.name = "younger", .expose = both_ports});
    const TcpServer first(older.netns, "older", {"::", 9080});
    const TcpServer second(younger.netns, "younger", {"::", 9080});
    require_ok(older.add());
    require_ok(younger.add());
    const std::string with = GENERATE("tcp reset", "icmpx type port-unreachable", "icmpx type admin-prohibited");
    CAPTURE(with);
    REQUIRE(name_in(ask_tcp(node.client, {node_v4, 80})) == "younger");
    must_execute({.argv = {"/usr/sbin/nft", "-f", "-"},
                  .input = "table inet firewall {\nchain in {\ntype filter hook input priority 0;\n"
                           "tcp dport 9080 reject with " +
                           with + "\n}\n}\n",
                  .netns = &younger.netns});
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "older");  // a second later
    CHECK(name_in(ask_tcp(node.client, {node_v6, 80})) == "older");
    for (int i = 0; i < 10; i++)
        CHECK(name_in(ask_tcp(node.client, {node_v4, 80}, {.limit = 500ms})) == "older");  // at once
    CHECK(why_of(node, younger).find("refused") != std::string::npos);
}

TEST_CASE("hold waits for a pod without a visible socket too", "[hold][serves]")
{
    const Hiding hiding = GENERATE(Hiding::redirect, Hiding::machine);
    CAPTURE(name_of(hiding));
    Node node;
    Pod gateway(
        node,
        spec_for(hiding, {.name = "gateway", .expose = both_ports, .annotations = {{"sallyport.dev/hold", "20s"}}}));
    require_ok(gateway.add());
    std::string heard;
    std::thread client([&] { heard = ask_tcp(node.client, {node_v4, 80}); });
    std::this_thread::sleep_for(impatience);
    const HiddenServer server(node, gateway, hiding);
    client.join();
    CHECK(name_in(heard) == "gateway");
}
