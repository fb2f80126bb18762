// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "../../plugin/kubernetes/follower.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::kubernetes;
using namespace std::chrono_literals;
using Kind = WatchEvent::Kind;

namespace {

constexpr Instant start{1'000'000s};

PodWord word_of(const std::string& uid, bool ready = false)
{
    return {uid, "ns", "pod-" + uid, "", {}, ready, "", false, std::nullopt};
}

ListPage page(std::vector<PodWord> pods, const std::string& version, const std::string& next = "")
{
    return {std::move(pods), version, next};
}

WatchEvent event(Kind kind, const std::string& version, PodWord word = {})
{
    return {kind, std::move(word), version, {}};
}

WatchEvent error(unsigned code, const std::string& message = "")
{
    return {Kind::error, {}, "", {code, message}};
}

std::string list_target(const Follower::Step& step)
{
    const auto* list = std::get_if<Follower::List>(&step);
    return list ? list->target : "none";
}

std::string watch_target(const Follower::Step& step)
{
    const auto* watch = std::get_if<Follower::Watch>(&step);
    return watch ? watch->target.substr(0, watch->target.find("&timeoutSeconds=")) : "none";
}

/// How long it wants to wait from `now` on.
std::chrono::milliseconds wait_of(Follower& follower, Instant now)
{
    const auto step = follower.next(now);
    const auto* wait = std::get_if<Follower::Wait>(&step);
    return wait ? std::chrono::ceil<std::chrono::milliseconds>(wait->until - now) : 0ms;
}

const std::string pods_of_n1 = "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1";
const std::string watch_of_n1 = pods_of_n1 + "&watch=true&allowWatchBookmarks=true&resourceVersion=";

/// One that has listed pod `a` at version 10 and watches since `start`.
Follower watching()
{
    Follower follower("n1", 1);
    follower.listed(page({word_of("a")}, "10"), start);
    follower.watching(start);
    return follower;
}

}  // namespace

TEST_CASE("follower: lists from the server's cache, page by page, then watches from there", "[kubernetes]")
{
    Follower follower("n1", 1);
    CHECK(list_target(follower.next(start)) == pods_of_n1 + "&limit=500&resourceVersion=0");
    follower.listed(page({word_of("a")}, "10", "x/y=="), start);
    CHECK_FALSE(follower.complete());
    CHECK(follower.pods().empty());  // half a list isn't the truth
    CHECK(list_target(follower.next(start)) == pods_of_n1 + "&limit=500&continue=x%2Fy%3D%3D");
    follower.listed(page({word_of("b")}, "10"), start);
    CHECK(follower.complete());
    CHECK(follower.pods() == PodWords{{"a", word_of("a")}, {"b", word_of("b")}});
    CHECK(watch_target(follower.next(start)) == watch_of_n1 + "10");
}

TEST_CASE("follower: watches last between five and ten minutes, and not all as long", "[kubernetes]")
{
    Follower follower = watching();
    std::chrono::seconds shortest = 1h;
    std::chrono::seconds longest = 0s;
    for (int i = 0; i < 100; i++) {
        const auto step = follower.next(start);
        const auto lasts = std::get<Follower::Watch>(step).lasts;
        CHECK(std::get<Follower::Watch>(step).target.ends_with("&timeoutSeconds=" + std::to_string(lasts.count())));
        shortest = std::min(shortest, lasts);
        longest = std::max(longest, lasts);
    }
    CHECK(shortest >= 300s);
    CHECK(longest <= 600s);
    CHECK(longest - shortest > 200s);
}

TEST_CASE("follower: events change the pods, and each says where to go on", "[kubernetes]")
{
    Follower follower = watching();
    CHECK(follower.happened(event(Kind::modified, "11", word_of("a", true)), start));
    CHECK(follower.pods().at("a").ready);
    CHECK(follower.happened(event(Kind::added, "12", word_of("b")), start));
    CHECK(follower.happened(event(Kind::deleted, "13", word_of("a")), start));
    CHECK(follower.pods() == PodWords{{"b", word_of("b")}});
    CHECK(follower.happened(event(Kind::bookmark, "20"), start));
    CHECK(follower.pods().size() == 1);
    follower.ended(start + 320s);
    CHECK(watch_target(follower.next(start + 320s)) == watch_of_n1 + "20");
    CHECK(follower.lost_since() == std::nullopt);
    CHECK(follower.problem().empty());
}

TEST_CASE("follower: a lost watch goes on where it was, and the pods stay", "[kubernetes]")
{
    Follower follower = watching();
    follower.happened(event(Kind::added, "12", word_of("b")), start);
    follower.failed("the connection was cut", start + 9s);
    CHECK(follower.lost_since() == start + 9s);
    CHECK(follower.problem() == "the connection was cut");
    CHECK(follower.pods().size() == 2);
    CHECK(wait_of(follower, start + 9s) >= 500ms);
    CHECK(wait_of(follower, start + 9s) <= 1s);
    CHECK(watch_target(follower.next(start + 10s)) == watch_of_n1 + "12");
    follower.failed("no answer in time", start + 40s);
    CHECK(follower.lost_since() == start + 9s);
    follower.watching(start + 50s);
    CHECK(follower.lost_since() == std::nullopt);
    CHECK(follower.problem().empty());
}

TEST_CASE("follower: where the server has forgotten, it lists anew and not from a cache", "[kubernetes]")
{
    for (const bool as_status : {true, false}) {
        INFO(as_status);
        Follower follower = watching();
        if (as_status)
            follower.refused({{410, "too old"}, 0s}, start);
        else
            CHECK_FALSE(follower.happened(error(410, "too old"), start));
        CHECK(list_target(follower.next(start)) == pods_of_n1 + "&limit=500");  // at once
        CHECK(follower.pods().size() == 1);                                     // what was known is, until then
        CHECK(follower.lost_since() == start);
        follower.listed(page({word_of("c")}, "99"), start + 1s);
        CHECK(follower.pods() == PodWords{{"c", word_of("c")}});
        CHECK(watch_target(follower.next(start + 1s)) == watch_of_n1 + "99");
        follower.refused({{410, "too old"}, 0s}, start + 1s);  // again: not at once any more
        CHECK(wait_of(follower, start + 1s) >= 500ms);
    }
}

TEST_CASE("follower: a list that fails in the middle begins anew", "[kubernetes]")
{
    Follower follower("n1", 1);
    follower.listed(page({word_of("a")}, "10", "next"), start);
    follower.refused({{410, "The provided continue parameter is too old"}, 0s}, start);
    CHECK(list_target(follower.next(start)) == pods_of_n1 + "&limit=500");
    follower.listed(page({word_of("b")}, "12", "next"), start);
    follower.failed("the connection was cut", start);
    CHECK(list_target(follower.next(start + 10s)) == pods_of_n1 + "&limit=500");
    follower.listed(page({word_of("c")}, "13"), start + 10s);
    CHECK(follower.pods() == PodWords{{"c", word_of("c")}});
}

TEST_CASE("follower: waits twice as long after each failure, to half a minute, never the same", "[kubernetes]")
{
    Follower follower("n1", 1);
    Follower other("n1", 2);
    Instant now = start;
    std::chrono::milliseconds expected = 1s;
    unsigned differences = 0;
    for (int i = 0; i < 20; i++) {
        follower.failed("connect: Connection refused", now);
        other.failed("connect: Connection refused", now);
        const auto wait = wait_of(follower, now);
        CHECK(wait >= expected / 2);
        CHECK(wait <= expected);
        differences += wait != wait_of(other, now) ? 1 : 0;
        now += wait;
        CHECK(wait_of(follower, now) == 0ms);
        expected = std::min<std::chrono::milliseconds>(expected * 2, 30s);
    }
    CHECK(differences > 15);
    follower.listed(page({}, "1"), now);
    follower.watching(now);
    follower.happened(event(Kind::bookmark, "2"), now);
    follower.failed("the connection was cut", now + 60s);  // the first one again
    CHECK(wait_of(follower, now + 60s) <= 1s);
}

TEST_CASE("follower: a server that ends every watch at once isn't asked for ever", "[kubernetes]")
{
    Follower follower = watching();
    Instant now = start;
    int watches = 0;
    for (; now < start + 10min; watches++) {
        now += wait_of(follower, now);
        follower.watching(now);
        now += 1ms;
        follower.ended(now);
    }
    CHECK(watches < 40);
    CHECK_FALSE(follower.problem().empty());
}

TEST_CASE("follower: says what a refusal needs, and waits as long as it is told", "[kubernetes]")
{
    Follower follower("n1", 1);
    follower.refused({{403, R"(pods is forbidden: User "system:serviceaccount:x:y" cannot list resource "pods")"}, 0s},
                     start);
    CHECK(follower.problem().find("403") != std::string::npos);
    CHECK(follower.problem().find("cannot list resource") != std::string::npos);
    CHECK(follower.problem().find("list and watch on pods") != std::string::npos);
    follower.refused({{401, "Unauthorized"}, 0s}, start);
    CHECK(follower.problem().find("token") != std::string::npos);
    follower.refused({{429, ""}, 120s}, start);
    CHECK(wait_of(follower, start) == 120s);
    follower.refused({{503, ""}, 1'000'000s}, start);
    CHECK(wait_of(follower, start) == 300s);
    CHECK(list_target(follower.next(start + 301s)) != "none");
}

TEST_CASE("follower: nobody makes it keep more pods than a node can have", "[kubernetes]")
{
    Follower follower("n1", 1);
    for (std::size_t i = 0; i <= max_pods && follower.problem().empty(); i += 500) {
        std::vector<PodWord> pods;
        for (std::size_t n = i; n < i + 500; n++)
            pods.push_back(word_of(std::to_string(n)));
        follower.listed(page(std::move(pods), "1", "more"), start);
    }
    CHECK_FALSE(follower.problem().empty());
    CHECK_FALSE(follower.complete());

    Follower other = watching();
    for (std::size_t i = 0; i < max_pods + 10; i++)
        other.happened(event(Kind::added, "11", word_of(std::to_string(i))), start);
    CHECK(other.pods().size() == max_pods);
    other.happened(event(Kind::modified, "12", word_of("a", true)), start);
    CHECK(other.pods().at("a").ready);
}
