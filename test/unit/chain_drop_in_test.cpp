// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The keeper's other way: a drop-in beside the list.
#include "sallyport/chain/keeper.hpp"

#include "sallyport/os/unique_fd.hpp"

#include "support/chain_stage.hpp"

#include <sys/inotify.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>
#include <cstring>

using namespace sallyport;
using namespace sallyport::test;
namespace fs = std::filesystem;

TEST_CASE("a drop-in goes into the network's own directory", "[chain]")
{
    ChainStage stage(ChainMethod::drop_in);
    stage.write(stage.cilium(), list);
    const ChainReport report = stage.keeper.keep();
    CHECK(report.in_place);
    CHECK(report.file == stage.drop_in());
    CHECK(same_meaning(content(stage.drop_in()), complete_entry(settings)));
    CHECK(content(stage.cilium()) == list);
    CHECK(stage.names() == Names{"05-cilium.conflist", "cilium"});
    CHECK(stage.names(stage.net() / "cilium") == Names{"90-sallyport.conf"});

    SECTION("and back when it is removed, changed or broken")
    {
        const std::string bad = GENERATE("", "{", "{}", R"({"type":"sallyport"})", "-");
        if (bad == "-")
            fs::remove_all(stage.net() / "cilium");
        else
            stage.write(stage.drop_in(), bad);
        stage.settle();
        CHECK(same_meaning(content(stage.drop_in()), complete_entry(settings)));
    }
    SECTION("and follows the network's name")
    {
        std::string renamed = list;
        renamed.replace(renamed.find("\"cilium\""), 8, "\"pods\"");
        stage.write(stage.cilium(), renamed);
        CHECK(stage.settle().file == stage.drop_in("pods"));
        CHECK(stage.names() == Names{"05-cilium.conflist", "pods"});
    }
    SECTION("and leaves with its directory, if nobody else uses that")
    {
        const bool used = GENERATE(false, true);
        if (used)
            std::ofstream(stage.net() / "cilium" / "10-tuning.conf") << R"({"type":"tuning"})";
        stage.keeper.leave();
        CHECK(fs::exists(stage.net() / "cilium") == used);
        CHECK_FALSE(fs::exists(stage.drop_in()));
    }
    SECTION("one that breaks the network is named, and not ours to remove")
    {
        std::ofstream(stage.net() / "cilium" / "10-broken.conf") << "{";
        CHECK(stage.settle().problem.find("10-broken.conf") != std::string::npos);
        CHECK(fs::exists(stage.net() / "cilium" / "10-broken.conf"));
    }
}

TEST_CASE("runtimes are told about a drop-in, whose directory they don't watch", "[chain]")
{
    ChainStage stage(ChainMethod::drop_in);
    stage.write(stage.cilium(), list);
    fs::create_directory(stage.net() / "cilium");
    const UniqueFd runtime(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    REQUIRE(::inotify_add_watch(runtime.get(), stage.net().c_str(), IN_CREATE | IN_DELETE) >= 0);
    const auto told = [&] {
        std::array<char, 4096> events{};
        std::uint32_t seen = 0;
        for (ssize_t size = 0; (size = ::read(runtime.get(), events.data(), events.size())) > 0;)
            for (ssize_t at = 0; at < size;) {
                inotify_event event{};
                std::memcpy(&event, events.data() + at, sizeof event);
                seen |= event.mask & (IN_CREATE | IN_DELETE);
                at += static_cast<ssize_t>(sizeof event + event.len);
            }
        return seen == (IN_CREATE | IN_DELETE);
    };
    stage.keeper.keep();
    CHECK(told());
    stage.settle();
    CHECK_FALSE(told());
    stage.keeper.leave();
    CHECK(told());
}

TEST_CASE("what can't be written is said, and tried again only after a second", "[chain]")
{
    ChainStage stage(ChainMethod::drop_in);
    stage.write(stage.cilium(), list);
    std::ofstream(stage.net() / "cilium") << "in the way";
    const ChainReport report = stage.settle();
    CHECK_FALSE(report.in_place);
    CHECK(report.problem.find("net.d/cilium") != std::string::npos);
    CHECK(stage.keeper.next_look() >= stage.now + std::chrono::seconds(1));
    std::filesystem::remove(stage.net() / "cilium");
    CHECK(stage.settle().in_place);
}

TEST_CASE("of a drop-in and an entry in the list one stays, as the method says", "[chain]")
{
    const ChainMethod first = GENERATE(ChainMethod::drop_in, ChainMethod::conflist);
    ChainStage stage(first);
    stage.write(stage.cilium(), list);
    REQUIRE(stage.settle().in_place);
    stage.keeper =
        ChainKeeper(stage.net(), first == ChainMethod::drop_in ? ChainMethod::conflist : ChainMethod::drop_in,
                    [&stage] { return stage.now; });
    stage.keeper.set_entry(settings);
    CHECK(stage.settle().in_place);
    CHECK(fs::exists(stage.drop_in()) == (first == ChainMethod::conflist));
    CHECK(content(stage.cilium()) == (first == ChainMethod::conflist ? list : with_ours));
}

TEST_CASE("no network's name leads out of the directory", "[chain]")
{
    ChainStage stage(ChainMethod::drop_in);
    const std::string name = GENERATE("../escaped", "..", ".", "a/b", "-a", "");
    stage.write(stage.cilium(), R"({"cniVersion":"1.0.0","name":")" + name + R"(","plugins":[{"type":"ptp"}]})");
    const ChainReport report = stage.settle();
    CHECK_FALSE(report.in_place);
    CHECK_FALSE(report.problem.empty());
    CHECK(stage.names() == Names{"05-cilium.conflist"});
    CHECK(stage.names(stage.directory.path()) == Names{"net.d"});
}
