// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/bindings.hpp"
#include "sallyport/error.hpp"
#include "sallyport/room.hpp"
#include "support/bindings.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// A pod with `count` remapped ports, at an address that nobody else has.
Binding remapping(const std::string& pod_namespace, unsigned number, unsigned count)
{
    std::vector<Exposure> exposures;
    for (unsigned port = 1; port <= count; port++)
        exposures.push_back(remap("10.0.1." + std::to_string(number), static_cast<std::uint16_t>(port), 60000));
    Binding made = binding(std::to_string(number), std::move(exposures));
    made.pod.pod_namespace = pod_namespace;
    made.pod.pod_name = "pod-" + std::to_string(number);
    return made;
}

}  // namespace

TEST_CASE("a namespace's remaps have their share of the room, and the refusal says who holds it")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    for (unsigned number = 1; number <= 4; number++)
        bindings.bind(remapping("tenants", number, 1024));
    require_refusal([&] { bindings.bind(remapping("tenants", 5, 1)); }, Code::try_again_later,
                    {"namespace \"tenants\" may remap 4096 ports on a node, and 1 more don't fit beside those of "
                     "tenants/pod-1 (1024), tenants/pod-2 (1024), tenants/pod-3 (1024) and 1 more"});
    CHECK_FALSE(bindings.knows({"5", "eth0"}));
    bindings.bind(remapping("tenants", 4, 1024));  // anew, what it holds already
    bindings.bind(remapping("others", 6, 1024));
    bindings.unbind({"1", "eth0"});
    bindings.bind(remapping("tenants", 5, 1024));
}

TEST_CASE("whatever pods remap, gateways have room")
{
    FakeTables tables;
    Bindings bindings(tables.references());
    for (unsigned number = 1; number <= 12; number++)
        bindings.bind(remapping("tenants-" + std::to_string(number % 3), number, 1024));
    require_refusal([&] { bindings.bind(remapping("others", 13, 1)); }, Code::try_again_later,
                    {"this node has room for 12288 remapped ports, and 1 more don't fit beside those of namespace "
                     "\"tenants-0\" (4096), namespace \"tenants-1\" (4096), namespace \"tenants-2\" (4096)"});
    bindings.bind(binding("gateway", {exposure(80, "10.0.0.1"), exposure(443, "10.0.0.1", 9443)}));
    CHECK(tables.node_ports.size() + 4094 <= abi::MAX_NODE_PORTS);
    CHECK(tables.backends.size() + 4094 <= abi::MAX_POD_BACKENDS);
    CHECK(tables.pod_exposures.size() + 4094 <= abi::MAX_POD_EXPOSURES);
}

TEST_CASE("pods that only remap don't take all records")
{
    std::vector<PodShare> pods(room_for_remapping_pods, {"tenants", "tenants/pod", 1, 0});
    require_refusal([&] { refuse_without_room("others", 1, pods); }, Code::try_again_later,
                    {"room for 768 pods that remap ports"});
    CHECK_NOTHROW(refuse_without_room("apisix", 0, pods));
    pods.back().exposures = 1;
    CHECK_NOTHROW(refuse_without_room("others", 1, pods));
}
