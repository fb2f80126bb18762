// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where the hooks at system calls sit, when they come and go, and that nothing else depends on them.
#include "support/content.hpp"
#include "support/footprint.hpp"
#include "support/local_node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <filesystem>

using namespace sallyport::test;

namespace {

/// How many programs there are whose line contains the text.
std::ptrdiff_t count_of(const std::vector<std::string>& programs, const std::string& text)
{
    return std::count_if(programs.begin(), programs.end(),
                         [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("hooks sit at the children, never at the directory itself, and leave with the last pod", "[sockets]")
{
    LocalNode node;
    node.cgroup.add("kubepods.slice");
    node.cgroup.add("kubepods.slice/pod");
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const auto programs = node.cgroup.programs();
    for (const char* hook :
         {"inet4_connect", "inet6_connect", "udp4_sendmsg", "udp6_sendmsg", "udp4_recvmsg", "udp6_recvmsg",
          "inet4_getpeername", "inet6_getpeername", "inet4_post_bind", "inet6_post_bind"}) {
        CAPTURE(hook);
        CHECK(count_of(programs, processes + " cgroup_" + hook) == 1);
        CHECK(count_of(programs, std::string("kubepods.slice cgroup_") + hook) == 1);
    }
    CHECK(programs.size() == 20);
    require_ok(gateway.del());
    CHECK(node.cgroup.programs() == nothing);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("each gateway's ADD follows the cgroups that there are", "[sockets]")
{
    LocalNode node;
    node.cgroup.add("going.slice");
    LocalGateway gateway(node, "gateway", "80:9080");
    gateway.listen();
    require_ok(gateway.pod.add());
    const auto before = node.cgroup.programs();
    const auto pins = pins_below(node.bpffs() / "sallyport" / "cgroups");
    CHECK(pins.size() == 20);
    node.cgroup.remove("going.slice");
    node.cgroup.add("coming.slice");
    {
        const Stay stay(node.cgroup, "coming.slice");
        CHECK(ask_tcp(node.host, {"127.0.0.1", 80}) == "refused");
    }
    Pod next(node, {.name = "next", .expose = "443:9080"});
    require_ok(next.add());
    CHECK(count_of(node.cgroup.programs(), "coming.slice ") == 10);
    const auto pins_now = pins_below(node.bpffs() / "sallyport" / "cgroups");
    CHECK(pins_now.size() == 20);
    CHECK(pins_now != pins);
    for (const std::string& line : node.cgroup.programs())  // the others weren't touched
        CHECK((line.starts_with("coming") || std::count(before.begin(), before.end(), line) == 1));
    const Stay stay(node.cgroup, "coming.slice");
    CHECK(name_in(ask_tcp(node.host, {"127.0.0.1", 80})) == "gateway");
}

TEST_CASE("the last gateway's configuration says which hooks there are", "[sockets]")
{
    LocalNode node;
    Pod first(node, {.name = "first", .expose = "80:9080"});
    Pod second(node, {.name = "second", .expose = "443:9080"});
    SECTION("localAccess: false")
    {
        node.plugin["localAccess"] = false;
        require_ok(first.add());
        CHECK(node.cgroup.programs().size() == 2);
        CHECK(count_of(node.cgroup.programs(), "post_bind") == 2);
    }
    SECTION("reservePorts: false")
    {
        node.plugin["reservePorts"] = false;
        require_ok(first.add());
        CHECK(node.cgroup.programs().size() == 8);
        CHECK(count_of(node.cgroup.programs(), "post_bind") == 0);
    }
    SECTION("both")
    {
        node.plugin["localAccess"] = false;
        node.plugin["reservePorts"] = false;
        require_ok(first.add());
        CHECK(node.cgroup.programs() == nothing);
        CHECK_FALSE(std::filesystem::exists(node.bpffs() / "sallyport/programs/socket_connect4"));
    }
    node.plugin["localAccess"] = true;
    node.plugin["reservePorts"] = true;
    require_ok(second.add());
    CHECK(node.cgroup.programs().size() == 10);
    require_ok(second.del());
    node.plugin["localAccess"] = false;
    node.plugin["reservePorts"] = false;
    require_ok(second.add());
    CHECK(node.cgroup.programs() == nothing);
}

TEST_CASE("cgroup v2 is found beside v1", "[sockets]")
{
    LocalNode node;
    const auto beside = node.directory() / "beside";
    std::filesystem::create_directory(beside);
    std::filesystem::create_directory_symlink(node.cgroup.path(), beside / "unified");
    node.plugin["cgroup"] = beside.string();
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    CHECK(node.cgroup.programs().size() == 10);
}

TEST_CASE("without cgroup v2 a gateway serves the outside, and the log says what is missing", "[sockets]")
{
    Node node;
    LocalGateway gateway(node, "gateway", "80:9080");
    gateway.listen();
    require_ok(gateway.pod.add());
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "gateway");
    CHECK(content(node.log_file()).find("is a cgroup v2 directory") != std::string::npos);
    require_ok(gateway.pod.del());
    CHECK(node.footprint() == nothing);
}

TEST_CASE("programs of another build are replaced in place, tables kept", "[sockets]")
{
    LocalNode node;
    LocalGateway gateway(node, "gateway", "80:9080");
    gateway.listen();
    require_ok(gateway.pod.add());
    const auto cgroups_before = node.cgroup.programs();
    const auto devices_before = programs_in(node.host);
    const auto pins_before = pins_below(node.bpffs());

    node.pretend_another_build();
    Pod next(node, {.name = "next", .expose = "443:9080"});
    require_ok(next.add());
    const auto cgroups_after = node.cgroup.programs();
    CHECK(cgroups_after.size() == cgroups_before.size());
    for (const std::string& line : cgroups_after)
        CHECK(std::count(cgroups_before.begin(), cgroups_before.end(), line) == 0);
    CHECK(programs_in(node.host).size() == devices_before.size());
    CHECK(programs_in(node.host) != devices_before);
    CHECK(pins_below(node.bpffs()) == pins_before);
    CHECK(name_in(ask_tcp(node.client, {node_v4, 80})) == "gateway");
    const Stay stay(node.cgroup, processes);
    CHECK(name_in(ask_tcp(node.host, {"127.0.0.1", 80})) == "gateway");
}
