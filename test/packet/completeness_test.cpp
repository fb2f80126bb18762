// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// No program without a test: each program of the object, on IPv4 and IPv6, TCP and UDP.
#include "fixture.hpp"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;

namespace {

std::set<Pair> untried(const std::set<std::string>& programs, const std::set<Pair>& claims)
{
    std::set<Pair> wanted;
    for (const std::string& program : programs)
        for (const Kind& kind : every_kind)
            wanted.insert({program, kind});
    std::set<Pair> missing;
    std::set_difference(wanted.begin(), wanted.end(), claims.begin(), claims.end(),
                        std::inserter(missing, missing.end()));
    return missing;
}

std::set<std::string> programs_of_object()
{
    const auto object = open_skeleton<::node>();
    REQUIRE(object);
    std::set<std::string> programs;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object->obj) programs.insert(bpf_program__name(program));
    return programs;
}

}  // namespace

TEST_CASE("every program is tried on IPv4 and IPv6, TCP and UDP")
{
    const std::set<std::string> programs = programs_of_object();
    CHECK(programs.count("node_ingress") == 1);
    CHECK(untried(programs, claimed()) == std::set<Pair>{});
}

TEST_CASE("no case is about a program that is gone")
{
    const std::set<std::string> programs = programs_of_object();
    for (const Pair& pair : claimed())
        CHECK(programs.count(pair.program) == 1);
}

TEST_CASE("a program, a family or a protocol without a case is noticed")
{
    const std::set<std::string> programs = programs_of_object();
    for (const Pair& pair : claimed()) {
        std::set<Pair> fewer = claimed();
        fewer.erase(pair);
        CHECK(untried(programs, fewer) == std::set<Pair>{pair});
    }
    std::set<std::string> more = programs;
    more.insert("pod_ingress");
    CHECK(untried(more, claimed()).size() == 4);
}
