// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/method.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;

TEST_CASE("containerd reads drop-ins from 2.1 on", "[chain]")
{
    const auto version = GENERATE("v2.1.0", "2.1.9", "v2.2.0", "2.10.0", "v3.0.0", "2.1.4-k3s1", "2.1.0~ds1");
    CAPTURE(version);
    CHECK(method_for("containerd", version) == ChainMethod::drop_in);
}

TEST_CASE("older ones, and what doesn't look like a version, get the list", "[chain]")
{
    const auto version = GENERATE("v2.0.5", "1.7.24~ds1", "v1.7.27-k3s1", "", "v", "2", "2.", "v2.x", "unknown", "9");
    CAPTURE(version);
    CHECK(method_for("containerd", version) == ChainMethod::conflist);
}

TEST_CASE("all other runtimes get the list", "[chain]")
{
    const auto runtime = GENERATE("cri-o", "docker", "", "Containerd");
    CAPTURE(runtime);
    CHECK(method_for(runtime, "9.9.9") == ChainMethod::conflist);
}

TEST_CASE("only CRI-O tears pods down by what it has cached", "[chain]")
{
    CHECK(tears_down_by_cache("cri-o"));
    CHECK_FALSE(tears_down_by_cache("containerd"));
    CHECK_FALSE(tears_down_by_cache(""));
}
