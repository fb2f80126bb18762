// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The way below kernel 6.6, tried on whatever kernel runs here: a filter of Cilium's priority, added after Cilium's.
#include "../../plugin/datapath/tc_filter.hpp"

#include "sallyport/os/netlink.hpp"
#include "support/cilium.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

using Names = std::vector<std::string>;

/// On eth0 of the node. Catch2's macros stay in the test's thread: what is found out comes back.
template <typename Work>
auto at_eth0(const Node& node, Direction direction, const Work& work)
{
    return node.host.run([&] { return work(Place{read_device("eth0").ifindex, direction}); });
}

}  // namespace

TEST_CASE("a filter put there is first, and stays so when Cilium's agent replaces its own", "[tc_filter]")
{
    Node node;
    Cilium cilium(node, Cilium::Mode::legacy);
    const Direction direction = GENERATE(Direction::ingress, Direction::egress);
    const bool ingress = direction == Direction::ingress;
    const std::string of_cilium = ingress ? "cil_from_netdev" : "cil_to_netdev";
    const OtherProgram ours("observer");
    const auto is_first = [&] { return at_eth0(node, direction, [](Place place) { return is_filter_first(place); }); };
    const auto put = [&] {
        at_eth0(node, direction, [&](Place place) { return put_filter_first(place, ours.fd()), true; });
    };
    const auto program = [&] { return at_eth0(node, direction, [](Place place) { return filter_program(place); }); };
    CHECK_FALSE(is_first());
    CHECK(program() == 0);

    put();
    CHECK(is_first());
    CHECK(program() == ours.id());
    cilium.restart();
    CHECK(is_first());
    CHECK(chain_of(node.host, "eth0", ingress) == Names{"observer", of_cilium});

    cilium.reattach();
    CHECK_FALSE(is_first());
    CHECK(chain_of(node.host, "eth0", ingress) == Names{of_cilium, "observer"});
    for (int i = 0; i < 3; i++) {
        put();
        CHECK(is_first());
        CHECK(chain_of(node.host, "eth0", ingress) == Names{"observer", of_cilium});
    }

    at_eth0(node, direction, [](Place place) { return remove_filter(place), true; });
    CHECK(chain_of(node.host, "eth0", ingress) == Names{of_cilium});
    CHECK(program() == 0);
}

TEST_CASE("a device without clsact, or none, has no filter of ours", "[tc_filter]")
{
    Node node;
    node.host.run([] {
        for (const int ifindex : {read_device("eth0").ifindex, 4711}) {
            const Place place{ifindex, Direction::ingress};
            if (is_filter_first(place) || filter_program(place) != 0)
                throw std::logic_error("a filter where none can be");
            remove_filter(place);
        }
    });
}
