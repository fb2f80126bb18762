// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods of three namespaces come and go in any order, on few addresses, and for every third nobody calls DEL. One of the
// namespaces may expose; no agent runs.
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/soak.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <set>
#include <vector>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

constexpr unsigned most_at_once = 8;
const std::vector<std::string> namespaces{"gateways", "tenants", "nobodys"};

struct Life
{
    std::unique_ptr<Pod> pod;
    std::unique_ptr<TcpServer> server;
    bool exposed = false;
};

class Town
{
public:
    Town() { node_.plugin["gateways"]["namespaces"] = {namespaces[0]}; }

    void make_one()
    {
        const std::string& of = namespaces[dice_() % namespaces.size()];
        const bool wishes = dice_() % 2 == 0;
        const bool allowed = of == namespaces[0];
        PodSpec spec{.name = "pod-" + std::to_string(made_++), .kubernetes_namespace = of};
        if (wishes)
            spec.expose = "80:9080";
        if (!free_addresses_.empty()) {  // that of the one that ended last
            spec.address_number = free_addresses_.back();
            free_addresses_.pop_back();
        }
        auto pod = std::make_unique<Pod>(node_, spec);
        const Answer added = pod->add();
        if (wishes && !allowed) {
            CHECK(added.code() == 100);
            require_ok(pod->del());
            free_addresses_.push_back(pod->address_number());
            return;
        }
        require_ok(added);
        auto server = std::make_unique<TcpServer>(pod->netns, spec.name, Target{"::", 9080});
        lives_.push_back({std::move(pod), std::move(server), wishes});
    }

    void end_one()
    {
        const std::size_t index = dice_() % lives_.size();
        Life life = std::move(lives_[index]);
        lives_.erase(lives_.begin() + static_cast<std::ptrdiff_t>(index));
        if (ended_++ % 3 != 2)
            require_ok(life.pod->del());
        free_addresses_.push_back(life.pod->address_number());
    }

    /// Who answers at the node's port must be one who was added for it, and lives.
    void check_answer()
    {
        std::set<std::string> may;
        for (const Life& life : lives_)
            if (life.exposed)
                may.insert(life.pod->spec().name);
        const auto begin = std::chrono::steady_clock::now();
        const std::string answer = ask_tcp(node_.client, {made_ % 2 == 0 ? node_v4 : node_v6, 80});
        slowest_ = std::max(slowest_, std::chrono::steady_clock::now() - begin);
        INFO(answer << " after " << made_ << " pods");
        if (may.empty())
            CHECK(answer == "refused");
        else
            CHECK(may.contains(answer.substr(0, answer.find(' '))));
    }

    void run(unsigned pods)
    {
        while (made_ < pods) {
            if (lives_.empty() || (lives_.size() < most_at_once && dice_() % 2 == 0))
                make_one();
            else
                end_one();
            check_answer();
        }
    }

    /// Nobody has called anything for those that vanished: one ordinary DEL must be enough.
    void check_remains()
    {
        Pod last(node_, {.name = "last", .kubernetes_namespace = namespaces[1]});
        require_ok(last.add());
        require_ok(last.del());
        std::set<std::string> living;
        for (const Life& life : lives_)
            if (life.exposed)
                living.insert(life.pod->full_name());
        std::set<std::string> known;
        const Json status = node_.status();
        for (const Json& port : status["nodePorts"])
            for (const Json& pod : port["pods"])
                known.insert(pod["namespace"].get<std::string>() + "/" + pod["pod"].get<std::string>());
        CHECK(known == living);
        for (Life& life : lives_)
            require_ok(life.pod->del());
        CHECK(node_.settled_footprint() == nothing);
    }

    std::chrono::steady_clock::duration slowest() const { return slowest_; }

private:
    Node node_;
    std::mt19937 dice_{17};  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same story each time
    std::vector<Life> lives_;
    std::vector<unsigned> free_addresses_;
    unsigned made_ = 0;
    unsigned ended_ = 0;
    std::chrono::steady_clock::duration slowest_{};
};

}  // namespace

TEST_CASE("whoever was added for a node port and lives answers there, and nobody else", "[load][identity]")
{
    Town town;
    town.run(amount(60U, 10000U));
    // A SYN that came while the kernel took a namespace apart is lost, and sent again after a second.
    CHECK(town.slowest() < 2s);
    town.check_remains();
}
