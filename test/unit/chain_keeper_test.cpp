// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The keeper with a directory of its own, and a clock that the test moves.
#include "sallyport/chain/keeper.hpp"

#include "sallyport/error.hpp"

#include "support/chain_stage.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

bool readable(int fd)
{
    pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&poll_fd, 1, 0) == 1;
}

}  // namespace

TEST_CASE("our entry is put into the list that is there, at once", "[chain]")
{
    ChainStage stage;
    stage.write(stage.cilium(), list);
    ::chmod(stage.cilium().c_str(), 0600);
    const ChainReport report = stage.keeper.keep();
    CHECK(report.in_place);
    CHECK(report.problem.empty());
    CHECK(report.file == stage.cilium());
    CHECK(report.network == "cilium");
    CHECK(report.rewrites == 1);
    CHECK(content(stage.cilium()) == with_ours);
    CHECK(stage.names() == Names{"05-cilium.conflist"});
    struct stat status{};
    REQUIRE(::stat(stage.cilium().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    SECTION("and not written again")
    {
        CHECK(stage.settle().rewrites == 1);
        struct stat later{};
        REQUIRE(::stat(stage.cilium().c_str(), &later) == 0);
        CHECK(later.st_ino == status.st_ino);
    }
    SECTION("a list that an agent has rewritten gets it again, in its new form")
    {
        std::string changed = list;
        changed.replace(changed.find("0.3.1"), 5, "1.0.0");
        stage.settle();
        stage.write(stage.cilium(), changed);
        CHECK(stage.settle().rewrites == 2);
        CHECK(content(stage.cilium()) == with_entry(changed, complete_entry(settings)));
    }
    SECTION("another configuration takes its place")
    {
        stage.keeper.set_entry(R"({"fastPath":true})");
        CHECK(stage.keeper.keep().in_place);
        CHECK(content(stage.cilium()) == with_entry(list, complete_entry(R"({"fastPath":true})")));
    }
    SECTION("and taken out for good")
    {
        stage.keeper.leave();
        CHECK(content(stage.cilium()) == list);
        CHECK_FALSE(stage.settle().in_place);
        CHECK(content(stage.cilium()) == list);
        stage.keeper.leave();
        CHECK(stage.names() == Names{"05-cilium.conflist"});
    }
}

TEST_CASE("the keeper waits for the primary's list, and makes none", "[chain]")
{
    ChainStage stage;
    CHECK_FALSE(stage.settle().in_place);
    CHECK_FALSE(stage.settle().problem.empty());
    CHECK(stage.keeper.next_look() <= stage.now + 1s);
    CHECK(stage.names().empty());
    stage.write(stage.cilium(), list);
    CHECK(readable(stage.keeper.watch_fd()));
    CHECK(stage.settle().in_place);
}

TEST_CASE("it waits for the directory too, and notices when that is replaced", "[chain]")
{
    ChainStage stage;
    fs::remove(stage.net());
    CHECK_FALSE(stage.settle().in_place);
    fs::create_directory(stage.net());
    stage.write(stage.cilium(), list);
    CHECK(stage.settle().in_place);

    fs::rename(stage.net(), stage.directory.path() / "old");
    fs::create_directory(stage.net());
    stage.write(stage.cilium(), list);
    CHECK(stage.settle().in_place);
    CHECK(content(stage.cilium()) == with_ours);

    stage.write(stage.cilium(), list);
    CHECK(readable(stage.keeper.watch_fd()));  // the new one is watched
}

TEST_CASE("every way to change the list is noticed", "[chain]")
{
    ChainStage stage;
    stage.write(stage.cilium(), list);
    REQUIRE(stage.settle().in_place);
    stage.now += 1min;
    stage.keeper.keep();
    REQUIRE_FALSE(readable(stage.keeper.watch_fd()));

    SECTION("written in place")
    {
        std::ofstream(stage.cilium()) << list;
    }
    SECTION("renamed over")
    {
        stage.write(stage.cilium(), list);
    }
    SECTION("deleted and made again")
    {
        fs::remove(stage.cilium());
        std::ofstream(stage.cilium()) << list;
    }
    SECTION("set aside for another one")
    {
        stage.write(stage.net() / "00-first.conflist", list);
    }
    CHECK(readable(stage.keeper.watch_fd()));
    CHECK(stage.settle().in_place);
    CHECK_FALSE(readable(stage.keeper.watch_fd()));  // our own writing is no news, and all is read
}

TEST_CASE("another network that becomes active is no answer to what we wrote", "[chain]")
{
    ChainStage stage;
    stage.write(stage.cilium(), list);
    REQUIRE(stage.settle().in_place);
    for (int i = 0; i < 2; i++) {  // as an owner who won't have us: once more, and he is left alone
        stage.now += 500ms;
        stage.write(stage.cilium(), list);
        REQUIRE(stage.settle().in_place);
    }
    stage.now += 500ms;
    stage.write(stage.net() / "00-first.conflist", list);
    CHECK(stage.settle().in_place);
}

TEST_CASE("a list that is half-written is left alone until it is whole", "[chain]")
{
    ChainStage stage;
    stage.write(stage.net() / "10-other.conflist", list);
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, list.size() / 2, list.size() - 1}) {
        std::ofstream(stage.cilium()) << list.substr(0, length);
        CHECK_FALSE(stage.settle().in_place);
        CHECK(content(stage.cilium()) == list.substr(0, length));
        CHECK(content(stage.net() / "10-other.conflist") == list);
    }
    std::ofstream(stage.cilium()) << list;
    CHECK(stage.settle().in_place);
    CHECK(content(stage.cilium()) == with_ours);
}

TEST_CASE("what stays invalid is passed over, as CRI-O does, and named", "[chain]")
{
    ChainStage stage;
    stage.write(stage.net() / "00-broken.conflist", "{");
    fs::last_write_time(stage.net() / "00-broken.conflist", fs::file_time_type::clock::now() - 1min);
    stage.write(stage.cilium(), list);
    const ChainReport report = stage.settle();
    CHECK(report.in_place);
    CHECK(report.problem.find("00-broken.conflist") != std::string::npos);
    CHECK(content(stage.net() / "00-broken.conflist") == "{");
}

TEST_CASE("files that our entry can't go to are left as they are", "[chain]")
{
    ChainStage stage;
    const auto [name, text] = GENERATE(table<std::string, std::string>({
        {"05-single.conf", R"({"cniVersion":"0.4.0","name":"single","type":"ptp"})"},
        {"05-old.conflist", R"({"cniVersion":"0.2.0","name":"old","plugins":[{"type":"ptp"}]})"},
        {"05-none.conflist", R"({"cniVersion":"1.0.0","name":"none"})"},
        {"05-ours.conflist", R"({"cniVersion":"1.0.0","name":"ours","plugins":[{"type":"sallyport"}]})"},
    }));
    stage.write(stage.net() / name, text);
    stage.write(stage.net() / "90-later.conflist", list);
    const ChainReport report = stage.settle();
    CHECK_FALSE(report.in_place);
    CHECK(report.problem.find(name) != std::string::npos);
    CHECK(content(stage.net() / name) == text);
    CHECK(content(stage.net() / "90-later.conflist") == list);
}

TEST_CASE("names that no runtime reads don't count, whatever they are", "[chain]")
{
    ChainStage stage;
    for (const char* name : {"00-a.conflist.bak", "00-b.conf.cilium_bak", "00-c.txt", "conf"})
        stage.write(stage.net() / name, list);
    fs::create_directory(stage.net() / "00-directory.conflist");
    REQUIRE(::mkfifo((stage.net() / "00-fifo.conflist").c_str(), 0600) == 0);
    fs::create_symlink("nowhere", stage.net() / "00-dangling.conflist");
    stage.write(stage.cilium(), list);
    CHECK(stage.settle().in_place);
    CHECK(content(stage.cilium()) == with_ours);
}

TEST_CASE("a symbolic link isn't replaced", "[chain]")
{
    ChainStage stage;
    std::ofstream(stage.directory.path() / "real") << list;
    fs::create_symlink(stage.directory.path() / "real", stage.cilium());
    CHECK_FALSE(stage.settle().in_place);
    CHECK(fs::is_symlink(stage.cilium()));
    CHECK(content(stage.cilium()) == list);
}

TEST_CASE("what killed processes have left is removed", "[chain]")
{
    ChainStage stage;
    std::ofstream(stage.net() / ".sallyport-123-4.tmp") << "half";
    std::ofstream(stage.net() / ".05-cilium.conflist123") << "Cilium's";
    stage.write(stage.cilium(), list);
    CHECK(stage.settle().in_place);
    CHECK(stage.names() == Names{".05-cilium.conflist123", "05-cilium.conflist"});
}

TEST_CASE("leaving reaches lists that are not the active one, and those that Cilium has set aside", "[chain]")
{
    ChainStage stage;
    stage.write(stage.cilium(), with_ours);
    stage.write(stage.net() / "10-other.conflist", with_ours);
    stage.write(stage.net() / "20-old.conflist.cilium_bak", with_ours);
    stage.write(stage.net() / "30-broken.conflist", "{");
    fs::create_directory(stage.net() / "pods");
    stage.write(stage.net() / "pods" / "50-mine.conf", R"({"type":"sallyport"})");
    stage.keeper.leave();
    for (const char* name : {"05-cilium.conflist", "10-other.conflist", "20-old.conflist.cilium_bak"})
        CHECK(content(stage.net() / name) == list);
    CHECK_FALSE(fs::exists(stage.net() / "pods"));

    stage.write(stage.net() / "40-ours.conflist", R"({"name":"o","plugins":[{"type":"sallyport"}]})");
    CHECK_THROWS_AS(stage.keeper.leave(), Error);
    fs::remove_all(stage.net());
    stage.keeper.leave();
}

TEST_CASE("before the first configuration the keeper touches nothing", "[chain]")
{
    ChainStage stage;
    stage.write(stage.cilium(), list);
    stage.keeper = ChainKeeper(stage.net(), ChainMethod::conflist, [&stage] { return stage.now; });
    const ChainReport report = stage.settle();
    CHECK_FALSE(report.in_place);
    CHECK_FALSE(report.problem.empty());
    CHECK(content(stage.cilium()) == list);
}
