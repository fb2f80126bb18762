// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The chain beside agents that rewrite it: at random, for a minute, and as an answer to everything that we write.
#include "sallyport/chain/conflist.hpp"
#include "sallyport/chain/files.hpp"
#include "sallyport/chain/keeper.hpp"

#include "support/cni.hpp"
#include "support/conflist_storm.hpp"
#include "support/content.hpp"
#include "support/soak.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Time = std::chrono::steady_clock;

const std::string left_by_owner = "05-cilium.conflist.cilium_bak";
const std::string configuration = R"({"gateways":{"namespaces":["apisix"]}})";
const std::string whole_entry = complete_entry(configuration);

/// An agent, and what it costs. There is no runtime for it to ask, and nobody whom it tells.
class KeepingProcess
{
public:
    KeepingProcess(const fs::path& directory, const std::string& method)
    {
        std::ofstream(own_.path() / "config.json") << configuration;
        const std::vector<std::string> words{"sallyport",
                                             "agent",
                                             "--config=" + (own_.path() / "config.json").string(),
                                             "--cni-bin-dir=" + own_.path().string(),
                                             "--cni-conf-dir=" + directory.string(),
                                             "--chain=" + method,
                                             "--cri-socket=off",
                                             "--listen=off"};
        std::vector<char*> arguments;
        for (const std::string& word : words)
            arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        const std::string binary = sallyport_binary();
        const std::string log = own_.path() / "log";
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDERR_FILENO);
            ::execv(binary.c_str(), arguments.data());
            ::_exit(127);
        }
    }
    KeepingProcess(const KeepingProcess&) = delete;
    KeepingProcess& operator=(const KeepingProcess&) = delete;
    ~KeepingProcess()
    {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    /// User and system time so far.
    std::chrono::milliseconds cpu_time() const
    {
        std::ifstream file(directory() / "stat");
        std::string text;
        std::getline(file, text);
        std::istringstream fields(text.substr(text.rfind(')') + 2));
        std::string skipped;
        long user = 0;
        long system = 0;
        for (int i = 0; i < 11; i++)
            fields >> skipped;
        fields >> user >> system;
        return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
    }

    /// Its open files, and the watches of those that are inotify's.
    std::pair<int, int> handles() const
    {
        std::pair<int, int> count;
        for (const auto& fd : fs::directory_iterator(directory() / "fdinfo")) {
            count.first++;
            std::ifstream info(fd.path());
            for (std::string line; std::getline(info, line);)
                count.second += line.starts_with("inotify ") ? 1 : 0;
        }
        return count;
    }

private:
    fs::path directory() const { return "/proc/" + std::to_string(pid_); }

    TemporaryDirectory own_;
    pid_t pid_ = -1;
};

/// How long it takes until the answer is yes; at most `patience`.
template <typename Question>
std::chrono::milliseconds time_until(const Question& question, std::chrono::milliseconds patience = 20s)
{
    const auto start = Time::now();
    while (!question() && Time::now() - start < patience)
        std::this_thread::sleep_for(2ms);
    return std::chrono::duration_cast<std::chrono::milliseconds>(Time::now() - start);
}

std::set<std::string> names(const fs::path& directory)
{
    std::set<std::string> found;
    for (const auto& file : fs::directory_iterator(directory))
        found.insert(file.path().filename().string());
    return found;
}

}  // namespace

TEST_CASE("a list that changes 20 times a second stays whole and its owner's, and has our entry when it is quiet",
          "[chain][load]")
{
    const TemporaryDirectory directory;
    const fs::path net = directory.path();
    ListWriter writer(net, 4711);
    writer.write_whole();
    const KeepingProcess keeper(net, "conflist");
    ListReader reader(writer, net, whole_entry);
    REQUIRE(time_until([&] { return reader.in_place(); }) < 20s);
    auto handles = keeper.handles();
    for (int look = 0; look < 100; look++) {  // it has no file open for long
        std::this_thread::sleep_for(10ms);
        handles = std::min(handles, keeper.handles());
    }

    const int storms = amount(2, 6);
    const auto length = amount(4s, 10s);
    std::chrono::milliseconds cpu_time{0};
    std::chrono::milliseconds slowest{0};
    for (int i = 0; i < storms; i++) {
        const auto before = keeper.cpu_time();
        writer.storm(length);
        cpu_time += keeper.cpu_time() - before;
        slowest = std::max(slowest, time_until([&] { return reader.in_place(); }));
        CHECK(reader.in_place());
    }
    reader.stop();
    const double share = 100.0 * static_cast<double>(cpu_time.count()) /
                         static_cast<double>(std::chrono::milliseconds(storms * length).count());
    std::cout << "chain: " << writer.last() << " lists written in " << storms << " storms of " << length.count()
              << " s, " << reader.readings() << " readings, slowest return " << slowest.count() << " ms, CPU " << share
              << " % of a core\n";

    for (const std::string& complaint : reader.complaints())
        FAIL_CHECK(complaint);
    CHECK(reader.readings() > 1000);
    CHECK(time_until([&] { return keeper.handles() <= handles; }) < 20s);
    CHECK(share < 5);
    CHECK(slowest < amount(20s, 1s));
    CHECK(content(writer.file()) == with_entry(ListWriter::list(writer.last()), whole_entry));
    CHECK(time_until([&] { return names(net) == std::set<std::string>{"05-cilium.conflist", left_by_owner}; }) < 20s);
}

TEST_CASE("what an owner writes in the moment in which we write is never lost", "[chain][load]")
{
    const TemporaryDirectory directory;
    ListWriter writer(directory.path(), 1);
    writer.write_whole();
    ListReader reader(writer, directory.path(), whole_entry);
    std::atomic<bool> over{false};
    std::thread owner([&] {
        for (int i = 0; !over; i++)
            i % 3 == 0 ? writer.write_in_pieces() : writer.write_whole();
    });
    int put = 0;
    int lost = 0;
    for (const auto end = Time::now() + amount(2s, 20s); Time::now() < end;) {
        const auto file = read_file(writer.file());
        if (!file || !file->text.ends_with("]\n}") || !find_entries(file->text).empty())
            continue;  // half-written, or ours already
        (replace_content(*file, with_entry(file->text, whole_entry)) ? put : lost)++;
    }
    over = true;
    owner.join();
    reader.stop();
    for (const std::string& complaint : reader.complaints())
        FAIL_CHECK(complaint);
    CHECK(put > 0);
    CHECK(lost > 0);
    const std::string last = ListWriter::list(writer.last());
    const std::string found = content(writer.file());
    CHECK((found == last || found == with_entry(last, whole_entry)));
}

TEST_CASE("an exclusive owner isn't fought", "[chain][load]")
{
    const TemporaryDirectory directory;
    const fs::path net = directory.path();
    const fs::path list = net / "05-cilium.conflist";
    auto owner = std::make_unique<ExclusiveOwner>(net);
    REQUIRE(time_until([&] { return content(list) == ListWriter::list(0); }) < 20s);
    const int before = owner->reactions();
    ChainKeeper keeper(net, ChainMethod::conflist);
    keeper.set_entry(whole_entry);
    ChainReport report;
    const auto run = [&](std::chrono::milliseconds time) {
        for (const auto end = Time::now() + time; Time::now() < end; std::this_thread::sleep_for(5ms))
            report = keeper.keep();
    };
    run(amount(4s, 20s));
    CHECK(report.rewrites == 3);
    CHECK(owner->reactions() - before == 3);
    CHECK_FALSE(report.in_place);
    CHECK(report.problem.find("cni.exclusive=false") != std::string::npos);
    CHECK(report.problem.find("--chain drop-in") != std::string::npos);
    CHECK(content(list) == ListWriter::list(0));

    SECTION("until he is restarted with cni.exclusive=false and writes his list")
    {
        owner.reset();
        ListWriter restarted(net, 1);
        restarted.write_whole();
        run(1s);
        CHECK(report.in_place);
        CHECK(content(list) == with_entry(ListWriter::list(1), whole_entry));
    }
}

TEST_CASE("an exclusive owner leaves a drop-in alone", "[chain][load]")
{
    const TemporaryDirectory directory;
    const fs::path net = directory.path();
    const ExclusiveOwner owner(net);
    REQUIRE(time_until([&] { return fs::exists(net / "05-cilium.conflist"); }) < 20s);
    const KeepingProcess keeper(net, "drop-in");
    const auto there = [&] { return same_meaning(content(net / "cilium" / "90-sallyport.conf"), whole_entry); };
    CHECK(time_until(there) < 20s);
    std::this_thread::sleep_for(amount(1s, 5s));
    CHECK(there());
    CHECK(owner.reactions() == 1);
    CHECK(content(net / "05-cilium.conflist") == ListWriter::list(0));
}
