// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The keeper with a directory of its own, and a clock that the test moves.
#include "sallyport/chain/keeper.hpp"

#include "sallyport/chain/conflist.hpp"
#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include "support/temporary_directory.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <array>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const std::string list = R"({
  "cniVersion": "0.3.1",
  "name": "cilium",
  "plugins": [
    {
       "type": "cilium-cni"
    }
  ]
})";

const std::string settings = R"({"gateways":{"namespaces":["apisix"]}})";

std::string content(const fs::path& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A node's CNI directory, and a keeper.
class Stage
{
public:
    explicit Stage(ChainMethod method = ChainMethod::conflist)
        : keeper(directory.path() / "net.d", method, [this] { return now; })
    {
        fs::create_directory(net());
        keeper.set_entry(settings);
    }

    TemporaryDirectory directory;
    Instant now{1h};
    ChainKeeper keeper;

    fs::path net() const { return directory.path() / "net.d"; }
    fs::path cilium() const { return net() / "05-cilium.conflist"; }
    fs::path drop_in(const std::string& network = "cilium") const { return net() / network / "90-sallyport.conf"; }

    void write(const fs::path& path, const std::string& text) const
    {
        std::ofstream(path.string() + ".new") << text;
        fs::rename(path.string() + ".new", path);
    }

    /// Looks until the keeper has nothing more to do soon.
    ChainReport settle()
    {
        ChainReport report;
        for (int i = 0; i < 20; i++) {
            now += 50ms;
            report = keeper.keep();
        }
        return report;
    }

    std::set<std::string> names(const fs::path& path) const
    {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator(path))
            found.insert(entry.path().filename().string());
        return found;
    }

    std::set<std::string> names() const { return names(net()); }
};

using Names = std::set<std::string>;
const std::string with_ours = with_entry(list, complete_entry(settings));

bool readable(int fd)
{
    pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&poll_fd, 1, 0) == 1;
}

}  // namespace

TEST_CASE("our entry is put into the list that is there, at once", "[chain]")
{
    Stage stage;
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
    struct stat status
    {};
    REQUIRE(::stat(stage.cilium().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    SECTION("and not written again")
    {
        CHECK(stage.settle().rewrites == 1);
        struct stat later
        {};
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
    Stage stage;
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
    Stage stage;
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
    Stage stage;
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

TEST_CASE("a list that is half-written is left alone until it is whole", "[chain]")
{
    Stage stage;
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
    Stage stage;
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
    Stage stage;
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
    Stage stage;
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
    Stage stage;
    std::ofstream(stage.directory.path() / "real") << list;
    fs::create_symlink(stage.directory.path() / "real", stage.cilium());
    CHECK_FALSE(stage.settle().in_place);
    CHECK(fs::is_symlink(stage.cilium()));
    CHECK(content(stage.cilium()) == list);
}

TEST_CASE("what killed processes have left is removed", "[chain]")
{
    Stage stage;
    std::ofstream(stage.net() / ".sallyport-123-4.tmp") << "half";
    std::ofstream(stage.net() / ".05-cilium.conflist123") << "Cilium's";
    stage.write(stage.cilium(), list);
    CHECK(stage.settle().in_place);
    CHECK(stage.names() == Names{".05-cilium.conflist123", "05-cilium.conflist"});
}

TEST_CASE("a drop-in goes into the network's own directory", "[chain]")
{
    Stage stage(ChainMethod::drop_in);
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
    Stage stage(ChainMethod::drop_in);
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

TEST_CASE("of a drop-in and an entry in the list one stays, as the method says", "[chain]")
{
    const ChainMethod first = GENERATE(ChainMethod::drop_in, ChainMethod::conflist);
    Stage stage(first);
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
    Stage stage(ChainMethod::drop_in);
    const std::string name = GENERATE("../escaped", "..", ".", "a/b", "-a", "");
    stage.write(stage.cilium(), R"({"cniVersion":"1.0.0","name":")" + name + R"(","plugins":[{"type":"ptp"}]})");
    const ChainReport report = stage.settle();
    CHECK_FALSE(report.in_place);
    CHECK_FALSE(report.problem.empty());
    CHECK(stage.names() == Names{"05-cilium.conflist"});
    CHECK(stage.names(stage.directory.path()) == Names{"net.d"});
}

TEST_CASE("leaving reaches lists that are not the active one, and those that Cilium has set aside", "[chain]")
{
    Stage stage;
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
    Stage stage;
    stage.write(stage.cilium(), list);
    stage.keeper = ChainKeeper(stage.net(), ChainMethod::conflist, [&stage] { return stage.now; });
    const ChainReport report = stage.settle();
    CHECK_FALSE(report.in_place);
    CHECK_FALSE(report.problem.empty());
    CHECK(content(stage.cilium()) == list);
}
