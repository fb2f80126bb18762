// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// No program without a test: each program of the objects, on IPv4 and IPv6, TCP and UDP, and on ICMP errors.
#include "fixture.hpp"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// They are told of listeners and node ports: there are none of ICMP.
const std::set<std::string> of_ports{"ask_listener", "tell_event"};

std::set<Pair> untried(const std::set<std::string>& programs, const std::set<Pair>& claims)
{
    std::set<Pair> wanted;
    for (const std::string& program : programs) {
        for (const Kind& kind : every_kind)
            wanted.insert({program, kind});
        for (const Kind& kind : over_icmp)
            if (!of_ports.contains(program))
                wanted.insert({program, kind});
    }
    std::set<Pair> missing;
    std::set_difference(wanted.begin(), wanted.end(), claims.begin(), claims.end(),
                        std::inserter(missing, missing.end()));
    return missing;
}

template <typename Object>
void add_programs(std::set<std::string>& programs)
{
    const auto object = open_skeleton<Object>();
    REQUIRE(object);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object->obj) programs.insert(bpf_program__name(program));
}

std::set<std::string> programs_of_objects()
{
    std::set<std::string> programs;
    add_programs<::node>(programs);
    add_programs<::pod>(programs);
    return programs;
}

}  // namespace

TEST_CASE("every program is tried on IPv4 and IPv6, TCP, UDP and ICMP errors")
{
    const std::set<std::string> programs = programs_of_objects();
    for (const char* program :
         {"node_ingress", "node_egress", "pod_ingress", "pod_egress", "ask_listener", "tell_event"})
        CHECK(programs.count(program) == 1);
    CHECK(untried(programs, claimed()) == std::set<Pair>{});
}

TEST_CASE("no case is about a program that is gone")
{
    const std::set<std::string> programs = programs_of_objects();
    for (const Pair& pair : claimed())
        CHECK(programs.count(pair.program) == 1);
}

TEST_CASE("a program, a family or a protocol without a case is noticed")
{
    const std::set<std::string> programs = programs_of_objects();
    for (const Pair& pair : claimed()) {
        std::set<Pair> fewer = claimed();
        fewer.erase(pair);
        CHECK(untried(programs, fewer) == std::set<Pair>{pair});
    }
    std::set<std::string> more = programs;
    more.insert("another");
    CHECK(untried(more, claimed()).size() == 6);
}
