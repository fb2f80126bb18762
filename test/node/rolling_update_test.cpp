// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A gateway is rolled over, again and again, while clients don't stop asking. `make soak`: 20 rollovers each.
#include "support/http.hpp"
#include "support/require_ok.hpp"
#include "support/soak.hpp"
#include "support/traffic.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <memory>

using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

/// What a client hears that asks nginx as HTTP/1.0 wants it: the last line of the answer.
std::string ask_http(const Namespace& client, const Target& target)
{
    Connection connection(client, target);
    connection.send("GET / HTTP/1.0\r\n\r\n");
    std::string answer = connection.read_all();
    while (answer.ends_with('\n'))
        answer.pop_back();
    return answer.substr(answer.rfind('\n') + 1);
}

}  // namespace

TEST_CASE("a rolling update under load fails no connection", "[load][rolling]")
{
    const std::string address = GENERATE(node_v4, node_v6);
    const Reuse reuse = GENERATE(Reuse::connection_per_request, Reuse::keep_alive);
    CAPTURE(address, reuse == Reuse::keep_alive);
    Node node;
    auto pod = std::make_unique<Pod>(node, PodSpec{.name = "gateway-0", .expose = "80:9080"});
    auto nginx = std::make_unique<Nginx>(node, *pod);
    require_ok(pod->add());

    Load load(node.client, {address, 80}, reuse);
    const int rollovers = amount(2, 20);
    for (int i = 1; i <= rollovers; i++) {
        const std::string name = "gateway-" + std::to_string(i);
        auto next = std::make_unique<Pod>(node, PodSpec{.name = name, .expose = "80:9080"});
        require_ok(next->add());
        auto next_nginx = std::make_unique<Nginx>(node, *next);
        const std::string answer = ask_http(node.client, {address, 80});
        INFO((answer == name ? "" : node.status().dump()));
        CHECK(answer == name);  // the old one still listens

        nginx->drain(1s);
        CHECK(ask_http(node.client, {address, 80}) == name);
        require_ok(pod->del());
        pod = std::move(next);
        nginx = std::move(next_nginx);
    }
    const LoadReport report = load.stop();
    INFO(report.text);
    CHECK(report.failures == "");
    CHECK(report.requests > 100UL * static_cast<unsigned>(rollovers));  // on a machine that is busy with others too
}

// `nginx -t` listens for about a millisecond. Images run it before they start.
TEST_CASE("a younger pod that tests its configuration resets nobody, with defaults", "[load][rolling]")
{
    Node node;
    Pod older(node, {.name = "older", .expose = "80:9080", .settles_by_default = true});
    Pod younger(node, {.name = "younger", .expose = "80:9080", .settles_by_default = true});
    const Nginx nginx(node, older);
    require_ok(older.add());
    require_ok(younger.add());
    Load load(node.client, {node_v4, 80}, Reuse::connection_per_request);
    for (int i = 0; i < 100; i++)
        Nginx::test_configuration(node, younger);
    const LoadReport report = load.stop();
    INFO(report.text);
    CHECK(report.failures == "");
    CHECK(report.requests > 100);
}
