// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of `sallyport install` and `sallyport uninstall` share.
#pragma once

#include "support/content.hpp"
#include "support/node.hpp"
#include "support/temporary_directory.hpp"

#include "sallyport/chain/conflist.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/syscall.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace sallyport::test {

inline constexpr const char* cilium_list = R"({"cniVersion":"0.3.1","name":"pods","plugins":[{"type":"cilium-cni"}]})";

/// A process that has done its work, and waits to be told to end.
inline void wait_until_it_waits(const Running& process)
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
        std::filesystem::create_directories(bin());
        std::filesystem::create_directories(net());
        write_config();
    }

    std::filesystem::path bin() const { return directory_.path() / "bin"; }
    std::filesystem::path net() const { return directory_.path() / "net.d"; }
    std::filesystem::path config() const { return directory_.path() / "config.json"; }
    std::filesystem::path binary() const { return bin() / "sallyport"; }
    std::filesystem::path conflist() const { return net() / "05-cilium.conflist"; }

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

inline void require_success(const Output& output)
{
    INFO(output.out << output.err);
    REQUIRE(output.status == 0);
}

/// Failed, with these words on stderr.
inline void require_failure(const Output& output, const std::vector<std::string>& words)
{
    INFO(output.out << output.err);
    REQUIRE(output.status == 1);
    for (const std::string& word : words) {
        CAPTURE(word);
        CHECK(output.err.find(word) != std::string::npos);
    }
}

}  // namespace sallyport::test
