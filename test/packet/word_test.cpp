// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kubernetes' word in the ranking: serving and Ready, before serving, before ending, before unknown.
#include "icmp_error.hpp"

using namespace sallyport;
using namespace sallyport::test;

namespace {

void ends(abi::pod_word& word)
{
    word.ending = 1;
}

void is_ready(abi::pod_word& word)
{
    word.readiness = abi::READY;
}

void is_not_ready(abi::pod_word& word)
{
    word.readiness = abi::NOT_READY;
}

/// Three pods behind port 80, all of which listen.
struct WordPods
{
    explicit WordPods(Kind kind, abi::share share = abi::SHARE_NEWEST)
    {
        for (const TestPod* pod : {&youngest, &middle, &oldest})
            sockets.push_back(pod->listen(kind));
        programs.expose(node_at(kind), kind.protocol, {&youngest, &middle, &oldest}, share);
    }

    std::uint16_t check_next_goes_to(const TestPod& pod, Kind kind, Where where = Where::current())
    {
        const std::uint16_t client = next_client++;
        check_translated(programs.ingress(request(kind, client)), to(request(kind, client), pod.at(kind)), where);
        return client;
    }

    /// Which of the pods get some of 60 clients.
    std::set<const TestPod*> takers(Kind kind)
    {
        std::set<const TestPod*> takers;
        for (int i = 0; i < 60; i++) {
            const Packet packet = request(kind, next_client++);
            const Bytes out = programs.ingress(packet).out;
            for (const TestPod* pod : {&youngest, &middle, &oldest})
                if (out == to(packet, pod->at(kind)).bytes())
                    takers.insert(pod);
        }
        return takers;
    }

    Programs programs;
    TestPod youngest{9, "10.0.0.9", "fd00::9"};
    TestPod middle{8, "10.0.0.8", "fd00::8"};
    TestPod oldest{7, "10.0.0.7", "fd00::7"};
    std::vector<UniqueFd> sockets;
    std::uint16_t next_client = 40000;
};

}  // namespace

PACKET_CASE("node_ingress", "a pod that is ending gets nothing new while another serves, and keeps what it has",
            every_kind)
{
    WordPods pods(kind);
    open_flow(pods.programs, pods.youngest, kind, 30000);
    pods.programs.say(pods.youngest, ends);
    pods.check_next_goes_to(pods.middle, kind);
    const Packet later = with_flags(request(kind, 30000), tcp_flag::ack);
    check_translated(pods.programs.ingress(later), to(later, pods.youngest.at(kind)));
    pods.programs.say(pods.middle, ends);
    pods.check_next_goes_to(pods.oldest, kind);
    pods.programs.say(pods.oldest, ends);
    pods.check_next_goes_to(pods.youngest, kind);  // nobody else is left
}

PACKET_CASE("node_ingress", "who comes to the last pod as it ends waits for the next, with hold, and not for longer",
            every_kind)
{
    WordPods pods(kind);
    const auto told_to_end = [](std::uint64_t ago) {
        return [ago](abi::pod_word& word) {
            word.ending = 1;
            word.since = word.told_at - ago;
        };
    };
    pods.programs.change(node_at(kind), kind.protocol, [](abi::node_port& port) { port.backends[0].hold_ms = 15000; });
    open_flow(pods.programs, pods.youngest, kind, 30000);
    pods.programs.say(pods.youngest, told_to_end(one_second));
    pods.check_next_goes_to(pods.middle, kind);
    pods.programs.say(pods.middle, told_to_end(one_second));
    pods.programs.say(pods.oldest, told_to_end(one_second));
    check_dropped(pods.programs.ingress(request(kind, 50000)));
    CHECK(pods.programs.traffic(node_at(kind), kind.protocol).held == 1);
    const Packet later = with_flags(request(kind, 30000), tcp_flag::ack);
    check_translated(pods.programs.ingress(later), to(later, pods.youngest.at(kind)));  // its own it keeps

    pods.programs.say(pods.youngest, told_to_end(16 * one_second));
    pods.check_next_goes_to(pods.youngest, kind);
    pods.programs.say(pods.youngest, [](abi::pod_word& word) { word.ending = 1; });  // nobody knows since when
    pods.check_next_goes_to(pods.youngest, kind);
}

PACKET_CASE("node_ingress", "a pod that isn't Ready gets nothing while a Ready one serves", every_kind)
{
    WordPods pods(kind);
    pods.programs.say(pods.youngest, is_not_ready);
    pods.programs.say(pods.middle, is_ready);
    pods.check_next_goes_to(pods.middle, kind);
    pods.programs.say(pods.middle, is_not_ready);
    pods.check_next_goes_to(pods.oldest, kind);  // of whom Kubernetes says nothing: as if Ready
    pods.programs.say(pods.oldest, is_not_ready);
    pods.check_next_goes_to(pods.youngest, kind);  // with no pod Ready, whoever serves
    pods.programs.say(pods.youngest, ends);
    pods.check_next_goes_to(pods.middle, kind);  // not Ready goes before ending
}

PACKET_CASE("node_ingress", "spread: the same, each rank shares among itself", every_kind)
{
    WordPods pods(kind, abi::SHARE_SPREAD);
    using Pods = std::set<const TestPod*>;
    CHECK(pods.takers(kind) == Pods{&pods.youngest, &pods.middle, &pods.oldest});
    pods.programs.say(pods.middle, ends);
    CHECK(pods.takers(kind) == Pods{&pods.youngest, &pods.oldest});
    pods.programs.say(pods.oldest, is_not_ready);
    CHECK(pods.takers(kind) == Pods{&pods.youngest});
    pods.programs.say(pods.youngest, is_not_ready);
    CHECK(pods.takers(kind) == Pods{&pods.youngest, &pods.oldest});
}

PACKET_CASE("node_ingress", "a younger pod that hasn't settled goes before one that is ending", every_kind)
{
    WordPods pods(kind);
    pods.programs.change(node_at(kind), kind.protocol,
                         [](abi::node_port& port) { port.backends[0].settle_ms = 10000; });
    for (const TestPod* pod : {&pods.middle, &pods.oldest}) {
        abi::backend entry = pods.programs.backend(*pod, kind);
        entry.listening_since = monotonic_now() - 100 * one_second;
        pods.programs.backends.put(endpoint_of(pod->at(kind), kind.protocol), entry);
    }
    pods.check_next_goes_to(pods.middle, kind);
    pods.programs.say(pods.middle, ends);
    pods.check_next_goes_to(pods.oldest, kind);
    pods.programs.say(pods.oldest, ends);
    pods.check_next_goes_to(pods.youngest, kind);
}

PACKET_CASE("node_ingress", "a word counts for its time, then sockets and answers alone", every_kind)
{
    WordPods pods(kind);
    const auto said = [](std::uint64_t ago) {
        return [ago](abi::pod_word& word) {
            word.told_at -= ago;
            word.ending = 1;
        };
    };
    pods.programs.say(pods.youngest, said(59 * one_second));
    pods.check_next_goes_to(pods.middle, kind);
    pods.programs.say(pods.youngest, said(61 * one_second));
    pods.check_next_goes_to(pods.youngest, kind);
}

PACKET_CASE("node_ingress", "another pod's word isn't this one's", every_kind)
{
    WordPods pods(kind);
    pods.programs.say(pods.youngest, ends);
    pods.youngest.id = 10;  // the next pod at that address
    pods.programs.expose(node_at(kind), kind.protocol, {&pods.youngest, &pods.middle, &pods.oldest});
    pods.check_next_goes_to(pods.youngest, kind);
}

PACKET_CASE("node_ingress", "who serves and is ending goes before whom nobody has asked", every_kind)
{
    WordPods pods(kind);
    pods.sockets[0] = UniqueFd();
    pods.sockets[1] = UniqueFd();
    pods.programs.say(pods.oldest, ends);
    pods.check_next_goes_to(pods.oldest, kind);
    pods.sockets[2] = UniqueFd();
    pods.check_next_goes_to(pods.youngest, kind);  // nobody serves: the youngest that isn't ending
    pods.programs.say(pods.youngest, ends);
    pods.check_next_goes_to(pods.middle, kind);
}

PACKET_CASE("node_egress",
            "a pod that Kubernetes calls Ready is tried with one connection, and takes over once it answers",
            every_kind)
{
    WordPods pods(kind);
    pods.sockets[0] = UniqueFd();  // in it, the socket can't be seen
    pods.check_next_goes_to(pods.middle, kind);
    pods.programs.say(pods.youngest, is_not_ready);
    pods.check_next_goes_to(pods.middle, kind);
    pods.programs.say(pods.youngest, is_ready);
    const std::uint16_t trial = pods.check_next_goes_to(pods.youngest, kind);
    pods.check_next_goes_to(pods.middle, kind);
    SECTION("it answers")
    {
        const Packet answer = reply(pods.youngest, kind, trial);
        check_translated(pods.programs.egress(answer), from(answer, node_at(kind)));
        pods.check_next_goes_to(pods.youngest, kind);
    }
    SECTION("it refuses: the client asks again, and is served elsewhere")
    {
        tried().insert({"node_egress", kind});
        check_dropped(pods.programs.egress(refusal(pods.youngest, kind, trial)));
        check_translated(pods.programs.ingress(request(kind, trial)), to(request(kind, trial), pods.middle.at(kind)));
        const Packet answer = reply(pods.middle, kind, trial);
        check_translated(pods.programs.egress(answer), from(answer, node_at(kind)));
    }
    CHECK(pods.programs.traffic(node_at(kind), kind.protocol).handovers <= 1);
}

PACKET_CASE("ask_listener", "a load balancer's clients are for pods that serve and aren't ending", every_kind)
{
    Programs programs;
    const TestPod pod(7, "10.0.0.7", "fd00::7");
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
    programs.say(pod, is_ready);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == abi::TAKES_TRAFFIC);  // nobody knows better
    UniqueFd listener = pod.listen(kind);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    programs.say(pod, is_not_ready);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == (abi::LISTENS | abi::TAKES_TRAFFIC));
    programs.say(pod, ends);
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == abi::LISTENS);
    programs.say(pod, is_ready);
    listener = UniqueFd();
    CHECK(programs.ask(pod, pod.at(kind), kind.protocol) == 0);
}
