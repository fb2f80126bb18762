// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/adoption.hpp"

#include "support/refusal.hpp"

#include "unit/parsed.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

std::string text(const PodAddresses& chosen)
{
    return (chosen.v4 ? chosen.v4->to_string() : "-") + " " + (chosen.v6 ? chosen.v6->to_string() : "-");
}

AdoptionResult result(const std::string& id, AdoptionResult::Outcome outcome, const std::string& why = "")
{
    return {id, "gateways/" + id, outcome, why};
}

}  // namespace

TEST_CASE("a pod's addresses are those that its primary plugin assigned", "[adoption]")
{
    const std::vector<Address> device{address("10.0.1.7"), address("fd00::7"), address("192.0.2.5")};
    CHECK(text(choose_pod_addresses({"10.0.1.7", "fd00::7"}, device)) == "10.0.1.7 fd00::7");
    CHECK(text(choose_pod_addresses({"fd00::7", "10.0.1.7"}, device)) == "10.0.1.7 fd00::7");
    CHECK(text(choose_pod_addresses({"192.0.2.5"}, device)) == "192.0.2.5 -");
}

TEST_CASE("an address that the pod gave itself doesn't count where the runtime names others", "[adoption]")
{
    CHECK(text(choose_pod_addresses({"10.0.1.7"}, {address("fd00::bad"), address("10.0.1.7")})) == "10.0.1.7 -");
}

TEST_CASE("where the runtime names none, the device's count", "[adoption]")
{
    CHECK(text(choose_pod_addresses({}, {address("fd00::7"), address("10.0.1.7"), address("10.0.1.8")})) ==
          "10.0.1.7 fd00::7");
}

TEST_CASE("an address that the pod doesn't have isn't taken", "[adoption]")
{
    CHECK(text(choose_pod_addresses({"10.0.1.9", "fd00::7", "nonsense"}, {address("fd00::7")})) == "- fd00::7");
    require_refusal([] { choose_pod_addresses({"10.0.1.9"}, {address("10.0.1.7")}); }, Code::io_failure,
                    {"eth0 has 10.0.1.7, while the container runtime says 10.0.1.9"});
    require_refusal([] { choose_pod_addresses({}, {}); }, Code::io_failure, {"eth0 has no address;"});
}

TEST_CASE("only what is new about earlier pods is news", "[adoption]")
{
    using enum AdoptionResult::Outcome;
    const std::vector<AdoptionResult> first{result("a", adopted, "80 -> 9080"), result("b", refused, "not allowed"),
                                            result("c", bound)};
    CHECK(news_since({}, first) == std::vector{first[0], first[1]});

    const std::vector<AdoptionResult> second{result("a", bound), first[1], result("c", bound)};
    CHECK(news_since(first, second).empty());

    const std::vector<AdoptionResult> third{result("a", bound), result("b", refused, "port taken")};
    CHECK(news_since(second, third) == std::vector{third[1]});
}
