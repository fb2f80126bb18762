// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "../../plugin/kubernetes/pods.hpp"

#include "sallyport/error.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <sstream>

using namespace sallyport;
using namespace sallyport::kubernetes;
using std::chrono::seconds;
using std::chrono::system_clock;

namespace {

/// As the API server writes them, with much that we don't need.
const std::string pod_json = R"({"metadata":{"name":"kong-1","namespace":"kong","uid":"5a0c","resourceVersion":"812",
    "annotations":{"sallyport.dev/expose":"80:8000","status":"x","/status/podIPs/ip":"192.0.2.66"},
    "managedFields":[{"manager":"kubelet","fieldsV1":{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{}}}}}]},
    "spec":{"nodeName":"n1","containers":[{"name":"proxy","ports":[{"containerPort":8000,"hostPort":0}]}]},
    "status":{"phase":"Running","conditions":[{"type":"PodScheduled","status":"True"},
    {"type":"Ready","status":"False","reason":"ContainersNotReady","message":"containers with unready status: [proxy]"},
    {"type":"ContainersReady","status":"True"}],"podIP":"10.0.0.7","podIPs":[{"ip":"10.0.0.7"},{"ip":"fd00::7"}]}})";

std::string list_of(const std::string& items, const std::string& metadata = R"({"resourceVersion":"900"})")
{
    return R"({"kind":"PodList","apiVersion":"v1","metadata":)" + metadata + R"(,"items":[)" + items + "]}";
}

ListPage page_of(const std::string& text)
{
    std::stringbuf body(text);
    return read_list(body);
}

std::optional<WatchEvent> event(const std::string& text)
{
    std::stringbuf body(text);
    return read_event(body);
}

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
    return text.replace(text.find(from), from.size(), to);
}

/// Bytes that are made when they are asked for.
class Endless final : public std::streambuf
{
public:
    explicit Endless(std::function<std::string()> next) : next_(std::move(next)) {}

protected:
    int_type underflow() override
    {
        part_ = next_();
        if (part_.empty())
            return traits_type::eof();
        setg(part_.data(), part_.data(), part_.data() + part_.size());
        return traits_type::to_int_type(*gptr());
    }

private:
    std::function<std::string()> next_;
    std::string part_;
};

/// `count` times `text`, between a beginning and an end.
Endless repeated(const std::string& begin, const std::string& text, std::size_t count, const std::string& end)
{
    return Endless([=, n = std::size_t{0}]() mutable {
        n++;
        return n == 1 ? begin : n <= count + 1 ? text : n == count + 2 ? end : std::string();
    });
}

}  // namespace

TEST_CASE("kubernetes: of a pod that is kept which the datapath may need", "[kubernetes]")
{
    const ListPage page = page_of(list_of(pod_json));
    REQUIRE(page.pods.size() == 1);
    CHECK(page.version == "900");
    CHECK(page.next.empty());
    const PodWord& word = page.pods.front();
    CHECK(word.uid == "5a0c");
    CHECK(word.pod_namespace == "kong");
    CHECK(word.name == "kong-1");
    CHECK(word.addresses == std::vector{*Address::parse("10.0.0.7"), *Address::parse("fd00::7")});
    CHECK_FALSE(word.ready);
    CHECK(word.why_not_ready == "ContainersNotReady");
    CHECK_FALSE(word.over);
    CHECK(word.ending_since == std::nullopt);
}

TEST_CASE("kubernetes: ready, over, and ending since it was told to", "[kubernetes]")
{
    const std::string ready = replaced(pod_json, R"("Ready","status":"False")", R"("Ready","status":"True")");
    CHECK(page_of(list_of(ready)).pods.front().ready);
    CHECK(page_of(list_of(ready)).pods.front().why_not_ready.empty());
    CHECK_FALSE(page_of(list_of(replaced(pod_json, R"("type":"Ready")", R"("type":"Other")"))).pods.front().ready);
    for (const char* phase : {"Succeeded", "Failed"})
        CHECK(page_of(list_of(replaced(pod_json, "Running", phase))).pods.front().over);
    // 30 s of grace: the time that is written is when they are up.
    const std::string ending = replaced(
        pod_json, R"("uid")", R"("deletionTimestamp":"2026-02-28T23:59:59Z","deletionGracePeriodSeconds":30,"uid")");
    CHECK(page_of(list_of(ending)).pods.front().ending_since == system_clock::from_time_t(1'772'323'169));
    CHECK_THROWS_AS(page_of(list_of(replaced(ending, "2026-02-28T23", "yesterday"))), Error);
}

TEST_CASE("kubernetes: the mirror of a static pod says by which uid its node knows it", "[kubernetes]")
{
    CHECK(page_of(list_of(pod_json)).pods.front().static_uid.empty());
    const std::string mirror = replaced(pod_json, R"("status":"x")", R"("kubernetes.io/config.hash":"4f1c")");
    CHECK(page_of(list_of(mirror)).pods.front().static_uid == "4f1c");
    CHECK(page_of(list_of(mirror)).pods.front().uid == "5a0c");
}

TEST_CASE("kubernetes: nothing of one pod is seen in another", "[kubernetes]")
{
    const std::string bare = R"({"metadata":{"name":"a","namespace":"b","uid":"c"}})";
    const ListPage page = page_of(list_of(pod_json + "," + bare));
    REQUIRE(page.pods.size() == 2);
    CHECK(page.pods.back() == PodWord{"c", "b", "a", "", {}, false, "", false, std::nullopt});
}

TEST_CASE("kubernetes: a list in pages, an empty one, and one whose metadata comes last", "[kubernetes]")
{
    CHECK(page_of(list_of(pod_json, R"({"resourceVersion":"9","continue":"abc==","remainingItemCount":3})")).next ==
          "abc==");
    CHECK(page_of(list_of("")).pods.empty());
    CHECK(page_of(R"({"items":null,"kind":"PodList","metadata":{"resourceVersion":"1"}})").pods.empty());
    CHECK(page_of(R"({"items":[)" + pod_json + R"(],"metadata":{"resourceVersion":"7"},"kind":"PodList"})").version ==
          "7");
}

TEST_CASE("kubernetes: what is no list of pods is refused", "[kubernetes]")
{
    for (const std::string& text :
         {std::string(), std::string("<html>502</html>"), std::string("{}"), std::string("[]"), std::string("7"),
          list_of(pod_json).substr(0, 300), list_of(R"({"metadata":{"name":"a","namespace":"b"}})"),
          list_of(pod_json, R"({"resourceVersion":""})"), replaced(list_of(pod_json), "PodList", "Status"),
          list_of(R"({"metadata":{"uid":)" + std::string(200, '[')),
          R"({"kind":"PodList","x":)" + std::string(10'000, '[') + std::string(10'000, ']') + "}"}) {
        INFO(text.substr(0, 400));
        CHECK_THROWS_AS(page_of(text), Error);
    }
}

TEST_CASE("kubernetes: events of a watch, one at a time", "[kubernetes]")
{
    const std::string lines = R"({"type":"ADDED","object":)" + pod_json + "}\n" + R"({"object":)" + pod_json +
                              R"(,"type":"DELETED"})" + "\n\n" +
                              R"({"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"950"}}})" +
                              R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",)" +
                              R"j("message":"too old resource version: 1 (2)"}})j" + "\n";
    std::stringbuf body(lines);
    auto next = read_event(body);
    REQUIRE(next);
    CHECK(next->kind == WatchEvent::Kind::added);
    CHECK(next->pod == page_of(list_of(pod_json)).pods.front());
    CHECK(next->version == "812");
    CHECK(body.sgetc() == '\n');  // nothing was waited for
    next = read_event(body);
    REQUIRE(next);
    CHECK(next->kind == WatchEvent::Kind::deleted);
    CHECK(next->pod.uid == "5a0c");
    next = read_event(body);
    REQUIRE(next);
    CHECK(next->kind == WatchEvent::Kind::bookmark);
    CHECK(next->version == "950");
    next = read_event(body);
    REQUIRE(next);
    CHECK(next->kind == WatchEvent::Kind::error);
    CHECK(next->status.code == 410);
    CHECK(next->status.message == "too old resource version: 1 (2)");
    CHECK(read_event(body) == std::nullopt);
}

TEST_CASE("kubernetes: what is no event is refused", "[kubernetes]")
{
    for (const std::string& text :
         {std::string("{}"), std::string("x"), R"({"type":"RENAMED","object":)" + pod_json + "}",
          R"({"type":"ADDED","object":)" + replaced(pod_json, "812", "") + "}",
          std::string(R"({"type":"ADDED","object":{}})"), std::string(R"({"type":"BOOKMARK","object":{}})"),
          R"({"type":"ADDED","object":)" + pod_json}) {
        INFO(text.substr(0, 200));
        CHECK_THROWS_AS(event(text), Error);
    }
}

TEST_CASE("kubernetes: a long list is read while it arrives, a huge object isn't", "[kubernetes]")
{
    const std::string padding(50'000, 'x');
    const std::string padded = replaced(pod_json, R"("phase")", R"("note":")" + padding + R"(","phase")");
    Endless long_list = repeated(list_of("").substr(0, list_of("").size() - 2) + pod_json, "," + padded, 180, "]}");
    CHECK(read_list(long_list).pods.size() == 181);  // 9 MB, more than one object may have

    Endless huge_string = repeated(R"({"kind":")", std::string(1'000'000, 'x'), 1000, R"("})");
    CHECK_THROWS_AS(read_list(huge_string), Error);
    Endless huge_pod = repeated(R"({"items":[{"metadata":{"x":[0)", std::string(100'000, '0'), 1000, "]}}]}");
    CHECK_THROWS_AS(read_list(huge_pod), Error);
    Endless huge_event =
        repeated(R"({"type":"ADDED","object":{"x":[0)", ",\"" + std::string(10'000, 'x') + '"', 10'000, "]}}");
    CHECK_THROWS_AS(read_event(huge_event), Error);
    const std::string small_pod = R"({"metadata":{"name":"a","namespace":"b","uid":"c"}})";
    Endless too_many = repeated(R"({"items":[)" + small_pod, "," + small_pod, 20'000, "]}");
    CHECK_THROWS_AS(read_list(too_many), Error);
}

TEST_CASE("kubernetes: the message of a refusal", "[kubernetes]")
{
    std::stringbuf status(R"({"kind":"Status","message":"pods is forbidden","reason":"Forbidden","code":403})");
    CHECK(read_message(status) == "pods is forbidden");
    std::stringbuf page("<html>403 Forbidden</html>");
    CHECK(read_message(page).empty());
    Endless endless([] { return std::string(1000, ' '); });
    CHECK(read_message(endless).empty());
}

TEST_CASE("kubernetes: any bytes are read or refused", "[kubernetes]")
{
    std::mt19937 dice(7);
    const std::string good = R"({"type":"MODIFIED","object":)" + pod_json + "}";
    int read = 0;
    for (int i = 0; i < 5000; i++) {
        std::string text = good;
        for (auto changes = dice() % 4 + 1; changes > 0; changes--)
            text[dice() % text.size()] = static_cast<char>(dice());
        try {
            read += event(text).has_value() ? 1 : 0;
        } catch (const Error& error) {
            if (error.code() != Code::decoding_failure)
                FAIL(error.what());
        }
    }
    CHECK(read > 100);
}
