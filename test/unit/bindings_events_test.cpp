// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What people are told of bindings, and what they aren't.
#include "sallyport/error.hpp"
#include "sallyport/records.hpp"
#include "support/bindings.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

struct EventsFixture
{
    FakeTables tables;
    std::vector<std::string> told;
    Bindings bindings{tables.references(), std::chrono::steady_clock::now, [this](const abi::event& record) {
                          const Event event = event_from(record);
                          told.push_back(std::string(name(event.kind)) + " " + event.pod_namespace + "/" +
                                         event.pod_name + " " + event.node_port.to_string() + " " +
                                         event.peer.to_string() + " " + std::to_string(event.pod));
                      }};
};

}  // namespace

TEST_CASE("a pod that is bound and unbound is told port by port", "[bindings][events]")
{
    EventsFixture node;
    node.bindings.bind(binding("a", {exposure(80, "10.0.0.1"), exposure(443, "10.0.0.1", 9443)}));
    CHECK(node.told == std::vector<std::string>{"bind apisix/gateway-a 0.0.0.0:80/tcp 10.0.0.1:9080/tcp 1",
                                                "bind apisix/gateway-a 0.0.0.0:443/tcp 10.0.0.1:9443/tcp 1"});
    node.told.clear();
    node.bindings.unbind({"a", "eth0"});
    CHECK(node.told == std::vector<std::string>{"unbind apisix/gateway-a 0.0.0.0:80/tcp 10.0.0.1:9080/tcp 1",
                                                "unbind apisix/gateway-a 0.0.0.0:443/tcp 10.0.0.1:9443/tcp 1"});
    node.told.clear();
    node.bindings.unbind({"a", "eth0"});
    CHECK(node.told.empty());
}

TEST_CASE("a binding that fails is not told", "[bindings][events]")
{
    EventsFixture node;
    node.tables.lifetime.writes_left = 4;
    node.tables.lifetime.fails_only = true;
    CHECK_THROWS_AS(node.bindings.bind(binding("a", {exposure(80, "10.0.0.1")})), Error);
    CHECK(node.told.empty());
    CHECK(node.bindings.pods().empty());
}
