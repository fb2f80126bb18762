// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `--chain drop-in` where it can't work: with a runtime that ends pods by what it has cached, or reads no drop-ins.
#include "support/agent.hpp"
#include "support/content.hpp"
#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/node.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fstream>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* primary_list = R"({"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"ptp"}]})";

/// A node with a primary plugin's list, and with a runtime of this name and version.
struct RuntimeMachine : Node
{
    RuntimeMachine(const std::string& name, const std::string& version)
        : runtime([=](const std::string& method, const std::string&) -> CriAnswer {
              return {.message = method == "Version" ? version_response(name, version) : list_response({})};
          })
    {
        directory_arguments(*this);
        std::ofstream(conflist()) << primary_list;
        std::ofstream(config()) << plugin.dump();
    }

    fs::path conflist() const { return cni_conf_dir(*this) / "05-pods.conflist"; }
    fs::path drop_in() const { return cni_conf_dir(*this) / network / "90-sallyport.conf"; }
    fs::path config() const { return directory() / "config.json"; }

    Output run(std::vector<std::string> words) const
    {
        words.insert(words.begin(), sallyport_binary());
        words.insert(words.end(), {"--config", config(), "--cri-socket", runtime.socket().string()});
        for (const std::string& word : directory_arguments(*this))
            words.push_back(word);
        return execute({.argv = words, .netns = &host});
    }

    CriServer runtime;
};

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a drop-in is refused where the runtime wouldn't always call it, and nothing is touched", "[chain][install]")
{
    const bool caches = GENERATE(true, false);
    const RuntimeMachine node(caches ? "cri-o" : "containerd", caches ? "1.37.0" : "v1.7.24");
    const std::string reason = caches ? "by the list that was cached" : "from 2.1 on";

    const Output refused = node.run({"install", "--chain", "drop-in"});
    INFO(refused.out << refused.err);
    CHECK(refused.status == 1);
    CHECK(contains(refused.err, reason));
    CHECK(contains(refused.err, "--chain conflist"));
    CHECK(fs::is_empty(cni_bin_dir(node)));
    CHECK_FALSE(fs::exists(node.drop_in()));
    CHECK(content(node.conflist()) == primary_list);

    for (const std::string method : {"auto", "conflist"}) {
        const Output installed = node.run({"install", "--chain", method});
        INFO(installed.out << installed.err);
        CHECK(installed.status == 0);
        CHECK(contains(content(node.conflist()), "sallyport"));
    }
}

TEST_CASE("an agent that is told so isn't ready, and says why", "[chain][agent]")
{
    const RuntimeMachine node("cri-o", "1.37.0");
    const Agent agent(node, "", sallyport_binary(), node.runtime.socket().string(), {"--chain", "drop-in"});
    INFO(agent.log());
    CHECK(agent.readiness_is(503, "by the list that was cached"));
    CHECK(agent.get("/healthz").status == 200);
    CHECK_FALSE(fs::exists(node.drop_in()));
    CHECK(content(node.conflist()) == primary_list);
}

TEST_CASE("where the runtime reads drop-ins, they are put there as before", "[chain][install]")
{
    const RuntimeMachine node("containerd", "v2.1.9");
    CHECK(node.run({"install", "--chain", "drop-in"}).status == 0);
    CHECK(fs::exists(node.drop_in()));
    CHECK(content(node.conflist()) == primary_list);
}

TEST_CASE("of a drop-in the doctor says one thing: whether this node's runtime can have it", "[chain][doctor]")
{
    struct Case
    {
        std::string runtime, version, level;
    };
    const auto [runtime, version, level] =
        GENERATE(Case{"cri-o", "1.37.0", "failure"}, Case{"containerd", "v1.7.24", "failure"},
                 Case{"containerd", "v2.1.9", "ok"}, Case{"another", "1.0.0", "note"});
    CAPTURE(runtime, version);
    const RuntimeMachine node(runtime, version);
    fs::create_directories(node.drop_in().parent_path());
    std::ofstream(node.drop_in()) << node.plugin.dump();
    const Json findings = Json::parse(node.run({"doctor", "--json"}).out).at("findings");
    std::vector<std::string> levels;
    for (const Json& finding : findings)
        if (contains(finding.at("check"), "drop-in"))
            levels.push_back(finding.at("level"));
    CHECK(levels == std::vector<std::string>{level});
}
