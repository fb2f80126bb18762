// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport install` and `sallyport uninstall`, as an operator or an init container runs them.
#include "support/conflist_storm.hpp"
#include "support/content.hpp"
#include "support/footprint.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/temporary_directory.hpp"
#include "support/traffic.hpp"

#include "sallyport/chain/conflist.hpp"
#include "sallyport/node/succession.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* cilium_list = R"({"cniVersion":"0.3.1","name":"pods","plugins":[{"type":"cilium-cni"}]})";

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

/// A process that has done its work, and waits to be told to end.
void wait_until_it_waits(const Running& process)
{
    const std::string call = "/proc/" + std::to_string(process.pid()) + "/syscall";
    const std::string waiting = std::to_string(SYS_rt_sigtimedwait) + " ";
    for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;) {
        if (content(call).starts_with(waiting))
            return;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    FAIL("it doesn't wait: " << content(call));
}

/// A node whose directories of the container runtime are the test's own.
struct BareMachine : Node
{
    BareMachine()
    {
        fs::create_directories(bin());
        fs::create_directories(net());
        write_config();
    }

    fs::path bin() const { return directory_.path() / "bin"; }
    fs::path net() const { return directory_.path() / "net.d"; }
    fs::path config() const { return directory_.path() / "config.json"; }
    fs::path binary() const { return bin() / "sallyport"; }
    fs::path conflist() const { return net() / "05-cilium.conflist"; }

    void write_config() const { std::ofstream(config()) << plugin.dump(); }

    std::vector<std::string> words(const std::string& command, const std::vector<std::string>& more = {}) const
    {
        std::vector<std::string> words{sallyport_binary(), command, "--config",       config(),
                                       "--cni-bin-dir",    bin(),   "--cni-conf-dir", net().string(),
                                       "--cri-socket",     "off"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }

    Output run(const std::string& command, const std::vector<std::string>& more = {}) const
    {
        return execute({.argv = words(command, more), .netns = &host});
    }

    bool has_our_entry() const
    {
        const auto found = sallyport::find_entries(content(conflist()));
        return found.size() == 1 && sallyport::same_meaning(found[0], sallyport::complete_entry(plugin.dump()));
    }

private:
    TemporaryDirectory directory_;
};

void require_success(const Output& output)
{
    INFO(output.out << output.err);
    REQUIRE(output.status == 0);
}

/// Failed, with these words on stderr.
void require_failure(const Output& output, const std::vector<std::string>& words)
{
    INFO(output.out << output.err);
    REQUIRE(output.status == 1);
    for (const std::string& word : words) {
        CAPTURE(word);
        CHECK(output.err.find(word) != std::string::npos);
    }
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

TEST_CASE("uninstall takes all of ours off the node, and names the pods that lose their ports", "[install]")
{
    BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    Pod gateway(node, {.name = "apisix-0", .expose = "80:9080"});
    TcpServer server(gateway.netns, "gateway", {"::", 9080});
    require_ok(gateway.add());
    REQUIRE(ask_tcp(node.client, {node_v4, 80}) == "gateway " + client_v4);

    const Output output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("gateways/apisix-0") != std::string::npos);
    CHECK(output.err.find(":80/tcp") != std::string::npos);
    CHECK(node.settled_footprint() == nothing);
    CHECK(fs::is_empty(node.bin()));
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(ask_tcp(node.client, {node_v4, 80}) == "refused");
    require_ok(gateway.del());  // where a runtime still has us in its mind
}

TEST_CASE("uninstall keeps the plugin where a network can't do without it, and goes on", "[install]")
{
    BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    std::ofstream(node.net() / "99-ours.conflist")
        << R"({"cniVersion":"1.0.0","name":"ours","plugins":[{"type":"sallyport"}]})";
    require_failure(node.run("uninstall"), {"99-ours.conflist", "remove the file", "stays"});
    CHECK(fs::exists(node.binary()));
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(node.settled_footprint() == nothing);
}

TEST_CASE("uninstall works without a configuration", "[install]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    const bool broken = GENERATE(false, true);
    if (broken)
        std::ofstream(node.config()) << "{";
    else
        fs::remove(node.config());
    const Output output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("by default") != std::string::npos);
    CHECK(content(node.conflist()) == cilium_list);
    CHECK(fs::is_empty(node.bin()));
}

TEST_CASE("uninstall says that an agent will put everything back", "[install]")
{
    const BareMachine node;
    std::ofstream(node.conflist()) << cilium_list;
    require_success(node.run("install"));
    std::optional<sallyport::Succession> agent = sallyport::Succession::enter(node.state_dir());
    Output output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("an agent runs on this node") != std::string::npos);
    agent.reset();
    output = node.run("uninstall");
    require_success(output);
    CHECK(output.err.find("agent") == std::string::npos);
}

TEST_CASE("uninstall --stay ends when it is told to", "[install]")
{
    const BareMachine node;
    const int number = GENERATE(SIGTERM, SIGINT);
    Running uninstalling({.argv = node.words("uninstall", {"--stay"}), .netns = &node.host});
    wait_until_it_waits(uninstalling);
    uninstalling.signal(number);
    const Output output = uninstalling.wait();
    INFO(output.err);
    CHECK(output.status == 0);
    CHECK(output.out.find("waiting for SIGTERM") != std::string::npos);
}
