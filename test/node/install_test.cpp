// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport install`, as an operator or an init container runs it; and what `sallyport uninstall` leaves of it.
#include "bare_machine.hpp"

#include "support/conflist_storm.hpp"
#include "support/footprint.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>
#include <fstream>
#include <set>
#include <thread>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

bool changes_files(const SystemCall& call)
{
    static const std::set<unsigned long> numbers{
        SYS_write,  SYS_fsync,  SYS_fchmod, SYS_renameat2, SYS_unlinkat, SYS_mkdirat,
#ifdef SYS_rename  // x86-64's older forms
        SYS_rename, SYS_unlink, SYS_mkdir,
#endif
    };
    return numbers.contains(call.number);
}

}  // namespace

TEST_CASE("install puts the plugin and our entry in their places; uninstall leaves what was there", "[install]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    ::chmod(node.conflist().c_str(), 0600);
    for (int i = 0; i < 2; i++) {
        require_success(node.run("install"));
        CHECK(content(node.binary()) == content(sallyport_binary()));
        CHECK(node.has_our_entry());
    }
    const Output version = execute({.argv = {node.binary(), "version"}, .netns = &node.host});
    CHECK(version.status == 0);
    struct stat status{};
    REQUIRE(::stat(node.conflist().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    for (int i = 0; i < 2; i++) {
        require_success(node.run("uninstall"));
        CHECK(content(node.conflist()) == cilium_list);
        CHECK(fs::is_empty(node.bin()));
    }
    CHECK(node.footprint() == nothing);
}

TEST_CASE("install with a drop-in", "[install]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install", {"--chain", "drop-in"}));
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(sallyport::drop_in_type(content(node.net() / "pods" / "90-sallyport.conf")) == "sallyport");
    require_success(node.run("uninstall"));
    CHECK_FALSE(fs::exists(node.net() / "pods"));
}

TEST_CASE("install without a primary plugin's list makes none, and says so", "[install]")
{
    const BareMachine node;
    require_failure(node.run("install"), {"no network is configured", "--cni-conf-dir", "net.d"});
    CHECK(fs::exists(node.binary()));
    CHECK(fs::is_empty(node.net()));
}

TEST_CASE("install refuses a wrong configuration, and touches nothing", "[install]")
{
    BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    const std::string wrong = GENERATE(R"({"gateways":{"ports":["http"]}})", "{", R"({"name":"pods"})",
                                       R"({"dns":"x"})", R"({"capabilities":{"portMappings":1}})", "-");
    std::vector<std::string> words{node.config().string()};
    if (wrong == "-")
        fs::remove(node.config());
    else
        std::ofstream(node.config()) << wrong;
    if (wrong.find("http") != std::string::npos)
        words.emplace_back("/gateways/ports/0");
    require_failure(node.run("install"), words);
    CHECK(fs::is_empty(node.bin()));
    CHECK(content(node.conflist()) == cilium_list);
}

TEST_CASE("install says what to do where the plugins' directory doesn't serve", "[install]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    const auto [flags, options, word] = GENERATE(table<unsigned long, std::string, std::string>({
        {MS_NOEXEC, "", "noexec"},
        {MS_RDONLY, "", "read-only"},
        {0, "size=64k", "free some space"},
    }));
    REQUIRE(::mount("tmpfs", node.bin().c_str(), "tmpfs", flags, options.c_str()) == 0);
    require_failure(node.run("install"), {word, node.bin().string()});
    CHECK(fs::is_empty(node.bin()));
    CHECK(content(node.conflist()) == cilium_list);
    REQUIRE(::umount(node.bin().c_str()) == 0);
}

TEST_CASE("install replaces a plugin that is running", "[install]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    fs::copy_file(sallyport_binary(), node.binary());
    std::ofstream(node.binary(), std::ios::app) << "older";
    std::vector<std::string> words = node.words("uninstall", {"--stay"});
    words[0] = node.binary();
    words[5] = (node.net() / "nowhere").string();  // it stays, and removes nothing
    Running old({.argv = words, .netns = &node.host});
    wait_until_it_waits(old);
    require_success(node.run("install"));
    CHECK(content(node.binary()) == content(sallyport_binary()));
    old.signal(SIGTERM);
    CHECK(old.wait().status == 0);
}

TEST_CASE("install isn't taken in by an owner who takes our entry out at once", "[install]")
{
    const BareMachine node;
    const ExclusiveOwner owner(node.net());
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    require_failure(node.run("install", {"--chain", "conflist"}), {"cni.exclusive=false", "drop-in"});
    require_success(node.run("install", {"--chain", "drop-in"}));
}

TEST_CASE("install killed at any moment: the list and the plugin are whole, and the next one tidies up", "[install]")
{
    const BareMachine node;
    const std::string older = "#!/bin/sh\n";
    unsigned kills = 0;
    for (unsigned limit = 1;; limit++, kills++) {
        CAPTURE(limit);
        std::ofstream(node.conflist()) << cilium_list;
        std::ofstream(node.binary()) << older;
        unsigned count = 0;
        const Output output =
            execute_traced({.argv = node.words("install"), .netns = &node.host},
                           [&](const SystemCall& call) { return !changes_files(call) || ++count < limit; });
        REQUIRE((content(node.conflist()) == cilium_list || node.has_our_entry()));
        REQUIRE((content(node.binary()) == older || content(node.binary()) == content(sallyport_binary())));
        if (output.status != 128 + SIGKILL)
            break;
    }
    CHECK(kills > 10);
    require_success(node.run("install"));
    for (const fs::path& directory : {node.bin(), node.net()})
        CHECK(std::distance(fs::directory_iterator(directory), fs::directory_iterator()) == 1);
}
