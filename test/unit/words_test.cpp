// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which bound pod Kubernetes' word is about, and what becomes of it while time goes by.
#include "sallyport/words.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

const Instant words_time{1h};
const std::chrono::system_clock::time_point wall_now{500h};

BoundPod bound(std::uint64_t generation, const std::string& name, const std::string& uid)
{
    BoundPod pod;
    pod.generation = generation;
    pod.pod_namespace = "kong";
    pod.pod_name = name;
    pod.pod_uid = uid;
    return pod;
}

PodWord told(const std::string& name, const std::string& uid, bool ready = true)
{
    PodWord word;
    word.uid = uid;
    word.pod_namespace = "kong";
    word.name = name;
    word.ready = ready;
    word.why_not_ready = ready ? "" : "ContainersNotReady";
    return word;
}

PodWords all(const std::vector<PodWord>& words)
{
    PodWords said;
    for (const PodWord& word : words)
        said.emplace(word.uid, word);
    return said;
}

using Words = std::map<std::uint64_t, Word>;

Words words_on(const std::vector<BoundPod>& pods, const std::vector<PodWord>& said, const Words& before = {})
{
    return sallyport::words_on(pods, all(said), before, words_time, wall_now);
}

}  // namespace

TEST_CASE("a word is found by the pod's uid, and told of each of its attachments", "[kubernetes]")
{
    const Words words = words_on({bound(7, "a", "u1"), bound(8, "a", "u1"), bound(9, "b", "u2")},
                                 {told("a", "u1"), told("b", "u2", false), told("c", "u3")});
    CHECK(words.size() == 3);
    CHECK(words.at(7) == Word{.readiness = Readiness::ready});
    CHECK(words.at(8) == words.at(7));
    CHECK(words.at(9) == Word{.readiness = Readiness::not_ready, .reason = "ContainersNotReady"});
}

TEST_CASE("a pod's name is no proof where its uid is known", "[kubernetes]")
{
    CHECK(words_on({bound(7, "web-0", "old")}, {told("web-0", "new")}).empty());
    CHECK(words_on({bound(7, "web-0", "")}, {told("web-0", "new")}).size() == 1);
    PodWord mirror = told("proxy-n1", "mirror");
    mirror.static_uid = "hash";
    CHECK(words_on({bound(7, "proxy-n1", "hash")}, {mirror}).size() == 1);
    CHECK(words_on({bound(7, "other-n1", "hash")}, {mirror}).empty());  // whoever may write annotations is no kubelet
    CHECK(words_on({bound(7, "", "")}, {mirror}).empty());
}

TEST_CASE("a pod that is told to end ends since then, by our clock", "[kubernetes]")
{
    PodWord word = told("a", "u1");
    word.ending_since = wall_now - 3s;
    const Words first = words_on({bound(7, "a", "u1")}, {word});
    CHECK(first.at(7) == Word{.readiness = Readiness::ready, .ending = true, .since = words_time - 3s});
    word.ready = false;
    word.ending_since = wall_now - 5s;  // our clocks go on as they like
    CHECK(words_on({bound(7, "a", "u1")}, {word}, first).at(7).since == words_time - 3s);
    word.ending_since = wall_now + 3s;
    CHECK(words_on({bound(7, "a", "u1")}, {word}).at(7).since == words_time);
}

TEST_CASE("a pod that is over, or that Kubernetes deleted by force, is ending", "[kubernetes]")
{
    PodWord over = told("a", "u1", false);
    over.over = true;
    CHECK(words_on({bound(7, "a", "u1")}, {over}).at(7).ending);
    const Words known{{7, {.readiness = Readiness::ready}}};
    const Words gone = words_on({bound(7, "a", "u1")}, {told("a", "u2")}, known);
    CHECK(gone.at(7) == Word{.readiness = Readiness::ready, .ending = true, .since = words_time});
    CHECK(words_on({bound(7, "a", "u1")}, {told("a", "u2")}).empty());  // it may be so new that we weren't told yet
}

TEST_CASE("since when a pod isn't Ready is known once it was", "[kubernetes]")
{
    const std::vector<BoundPod> pods{bound(7, "a", "u1")};
    CHECK(words_on(pods, {told("a", "u1", false)}).at(7).since == std::nullopt);
    const Words ready{{7, {.readiness = Readiness::ready}}};
    const Words since = words_on(pods, {told("a", "u1", false)}, ready);
    CHECK(since.at(7).since == words_time);
    const Words later{{7, {.readiness = Readiness::not_ready, .since = words_time - 9s, .reason = "x"}}};
    CHECK(words_on(pods, {told("a", "u1", false)}, later).at(7).since == words_time - 9s);
    PodWord wordy = told("a", "u1", false);
    wordy.why_not_ready = std::string(100, 'x');
    const Words cut = words_on(pods, {wordy});
    CHECK(cut.at(7).reason == std::string(39, 'x'));  // as the table keeps it, so that it isn't news each time
}
