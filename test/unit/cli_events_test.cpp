// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Following events: no event twice, none lost without a word, and other tables noticed. And how one looks.
#include "sallyport/cli/event_view.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <ctime>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

Event event(std::uint64_t number, int time = 0)
{
    Event result;
    result.number = number;
    result.time = Instant(std::chrono::seconds(time > 0 ? time : static_cast<int>(number)));
    return result;
}

std::vector<Event> events(std::initializer_list<std::uint64_t> numbers)
{
    std::vector<Event> list;
    for (const std::uint64_t number : numbers)
        list.push_back(event(number));
    return list;
}

using Numbers = std::vector<std::uint64_t>;

Numbers numbers_of(const EventFollower::News& news)
{
    Numbers numbers;
    for (const Event& each : news.events)
        numbers.push_back(each.number);
    return numbers;
}

Event handover()
{
    Event result = event(7);
    result.kind = EventKind::handover;
    result.node_port = {Address::any_v4(), HostPort{80}, Protocol::tcp, Scope::node};
    result.pod = 2;
    result.previous_pod = 1;
    result.reason = "socket";
    return result;
}

/// 2026-11-25 12:03:04.123 UTC.
WallTime noon()
{
    return WallTime(1795608184123ms);
}

struct Utc
{
    Utc()
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

}  // namespace

TEST_CASE("each event comes once", "[cli]")
{
    EventFollower follower(0);
    CHECK(follower.ask_after() == 0);
    CHECK(numbers_of(follower.take(events({1, 2, 3}), false)) == Numbers{1, 2, 3});
    CHECK(follower.ask_after() == 2);
    CHECK(numbers_of(follower.take(events({3}), false)).empty());
    CHECK(numbers_of(follower.take(events({3, 4}), false)) == Numbers{4});
}

TEST_CASE("what was overwritten before anybody looked isn't missed", "[cli]")
{
    const auto news = EventFollower(0).take(events({100, 101}), false);
    CHECK(numbers_of(news) == Numbers{100, 101});
    CHECK(news.missed == 0);
}

TEST_CASE("what was overwritten between two looks is counted", "[cli]")
{
    EventFollower follower(0);
    follower.take(events({1, 2}), false);
    CHECK(numbers_of(follower.take(events({10, 11}), false)).empty());  // 3 may be in the making yet
    const auto news = follower.take(events({10, 11, 12}), false);
    CHECK(numbers_of(news) == Numbers{10, 11, 12});
    CHECK(news.missed == 7);
}

TEST_CASE("an event in the making is waited for", "[cli]")
{
    EventFollower follower(0);
    CHECK(numbers_of(follower.take(events({1, 2, 4}), false)) == Numbers{1, 2});
    const auto news = follower.take(events({2, 3, 4}), false);
    CHECK(numbers_of(news) == Numbers{3, 4});
    CHECK(news.missed == 0);
}

TEST_CASE("who won't look again waits for nothing", "[cli]")
{
    const auto news = EventFollower(0).take(events({1, 2, 4}), true);
    CHECK(numbers_of(news) == Numbers{1, 2, 4});
    CHECK(news.missed == 1);
}

TEST_CASE("a reader goes on where it stopped", "[cli]")
{
    EventFollower follower(5);
    CHECK(follower.ask_after() == 4);
    CHECK(numbers_of(follower.take(events({5, 6}), true)) == Numbers{6});
    const auto late = EventFollower(5).take(events({9}), true);
    CHECK(late.missed == 3);
}

TEST_CASE("another table is noticed, however many events it has", "[cli]")
{
    EventFollower follower(0);
    follower.take(events({1, 2, 3}), false);
    SECTION("fewer")
    {
        CHECK(follower.take({}, false).anew);
    }
    SECTION("as many, or more")
    {
        CHECK(follower.take({event(3, 1000), event(4, 1001)}, false).anew);
    }
    CHECK(follower.ask_after() == 0);
    CHECK(numbers_of(follower.take(events({1}), false)) == Numbers{1});
}

TEST_CASE("an empty table isn't another one", "[cli]")
{
    EventFollower follower(0);
    CHECK_FALSE(follower.take({}, false).anew);
    CHECK_FALSE(follower.take({}, false).anew);
}

TEST_CASE("an event is one aligned line", "[cli]")
{
    const Utc utc;
    EventNames names;
    names.learn(1, "apisix/apisix-1");
    Event bind = event(8);
    bind.kind = EventKind::bind;
    bind.node_port = {*Address::parse("192.168.1.10"), HostPort{443}, Protocol::udp, Scope::node};
    bind.peer = {*Address::parse("fd00::7"), PodPort{9443}, Protocol::udp};
    bind.pod = 2;
    bind.pod_namespace = "apisix";
    bind.pod_name = "apisix-2";
    CHECK(names.of(2) == "pod #2");
    names.learn(bind);

    EventLines lines;
    CHECK(lines.render(handover(), noon(), names, {}) ==
          "12:03:04.123  handover  80/tcp    apisix/apisix-1 -> apisix/apisix-2, which listens\n");
    lines.make_room(bind);
    CHECK(lines.render(bind, noon(), names, {}) ==
          "12:03:04.123  bind      192.168.1.10:443/udp  apisix/apisix-2 at [fd00::7]:9443\n");
    CHECK(lines.render(handover(), noon(), names, {}) ==
          "12:03:04.123  handover  80/tcp                apisix/apisix-1 -> apisix/apisix-2, which listens\n");
    Event word = handover();
    word.kind = EventKind::word;
    word.reason = "not ready";
    CHECK(lines.render(word, noon(), names, {}) ==
          "12:03:04.123  word      -                     apisix/apisix-2 is not ready, Kubernetes says\n");
    Screen narrow;
    narrow.width = 70;
    narrow.unicode = true;
    CHECK(lines.render(handover(), noon(), names, narrow) ==
          "12:03:04.123  handover  80/tcp                apisix/apisix-1 →\n"
          "                                              apisix/apisix-2, which\n"
          "                                              listens\n");
    CHECK(day_of(noon()) == "2026-11-25");
}

TEST_CASE("an event as JSON", "[cli]")
{
    EventNames names;
    names.learn(2, "apisix/apisix-2");
    CHECK(to_json(handover(), noon(), names) ==
          R"({"number":7,"time":"2026-11-25T12:03:04.123Z","kind":"handover","scope":"node","address":"0.0.0.0",)"
          R"("port":80,"protocol":"tcp","pod":{"name":"apisix/apisix-2","generation":2},)"
          R"("previousPod":{"name":"pod #1","generation":1},"witness":"socket"})");
    Event word = handover();
    word.kind = EventKind::word;
    word.reason = "ending";
    CHECK(to_json(word, noon(), names) == R"({"number":7,"time":"2026-11-25T12:03:04.123Z","kind":"word",)"
                                          R"("pod":{"name":"apisix/apisix-2","generation":2},"word":"ending"})");
    Event reject;
    reject.number = 8;
    reject.kind = EventKind::reject;
    reject.pod_namespace = "kong";
    reject.pod_name = "kong-1";
    reject.reason = "node port taken";
    CHECK(to_json(reject, noon(), names) == R"({"number":8,"time":"2026-11-25T12:03:04.123Z","kind":"reject",)"
                                            R"("pod":{"name":"kong/kong-1"},"reason":"node port taken"})");
    Event drop = handover();
    drop.kind = EventKind::drop;
    drop.peer = {*Address::parse("10.0.0.9"), PodPort{5555}, Protocol::tcp};
    drop.reason = "clash";
    const std::string line = to_json(drop, noon(), names);
    CHECK(line.find(R"("client":"10.0.0.9:5555","reason":"clash"})") != std::string::npos);
    CHECK(json_of_missed(3) == R"({"kind":"missed","events":3})");
}
