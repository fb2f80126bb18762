// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod without our annotations never fails because of us, and never notices us.
#include "support/node.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sys/socket.h>
#include <sys/syscall.h>

#include <fstream>
#include <set>

using namespace sallyport::test;

namespace {

void check_passed_through(Pod& pod)
{
    const Answer added = pod.add();
    INFO("stdout: " << added.out << "\nstderr: " << added.err);
    REQUIRE(added.ok());
    CHECK(added.json() == pod.primary_result);
    const Answer removed = pod.del();
    INFO("stdout: " << removed.out << "\nstderr: " << removed.err);
    CHECK(removed.ok());
    CHECK(removed.out.empty());
}

}  // namespace

TEST_CASE("a plain pod's ADD and DEL leave nothing", "[plain]")
{
    Node node;
    PodSpec spec{.name = "plain", .kubernetes_namespace = "default"};
    spec.annotations =
        GENERATE(std::map<std::string, std::string>{},
                 std::map<std::string, std::string>{{"kubernetes.io/created-by", "sallyport.dev/expose"}});
    spec.primary = GENERATE(Primary::stand_in, Primary::ptp);
    Pod pod(node, spec);
    check_passed_through(pod);
    CHECK(node.footprint() == nothing);
    CHECK_FALSE(std::filesystem::exists(node.state_dir()));
}

TEST_CASE("a plain pod passes, whatever of its call only a gateway's would be read for", "[plain]")
{
    Node node;
    PodSpec spec{.name = "plain", .kubernetes_namespace = "gateways"};
    const bool exposes = GENERATE(false, true);
    if (exposes)
        spec.expose = "80:9080";
    Pod pod(node, spec);
    PluginCall call = pod.call("ADD");
    Json config = pod.config("ADD");
    int code = 4;
    SECTION("the container's id is longer than any that is bound")
    {
        call.container_id = std::string(200, 'f');
    }
    SECTION("CNI_ARGS are malformed")
    {
        call.args += ";junk";
    }
    SECTION("the previous result has something else where addresses are expected")
    {
        config["prevResult"]["ips"][0]["interface"] = -1;
        code = 7;
    }
    call.stdin_text = config.dump();
    const Answer added = call_plugin(sallyport_binary(), call, node.host);
    INFO("stdout: " << added.out << "\nstderr: " << added.err);
    CHECK(added.code() == (exposes ? code : 0));
    if (!exposes)
        CHECK(added.json() == config["prevResult"]);
    CHECK(node.footprint() == nothing);
}

TEST_CASE("a plain pod's ADD and DEL succeed on a node where all of ours is broken", "[plain]")
{
    Node node;
    SECTION("no bpffs mounted")
    {
        node.unmount_bpffs();
    }
    SECTION("no such directory")
    {
        node.plugin["bpffs"] = "/nowhere/bpf";
    }
    SECTION("bpffs isn't one")
    {
        node.unmount_bpffs();
        std::ofstream(node.bpffs() / "sallyport") << "a file";
    }
    SECTION("the state directory is a file")
    {
        std::ofstream(node.state_dir()) << "a file";
    }
    SECTION("no cgroup v2")
    {
        node.plugin["cgroup"] = "/nowhere/cgroup";
    }
    SECTION("the log can't be written")
    {
        node.plugin["logFile"] = "/nowhere/log/sallyport.log";
    }
    Pod pod(node, {.name = "plain", .kubernetes_namespace = "default"});
    check_passed_through(pod);
}

TEST_CASE("a plain pod's ADD takes no lock, asks netlink nothing, and asks one table only where there is one",
          "[plain]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    const bool has_state = GENERATE(false, true);
    if (has_state)
        require_ok(gateway.add());
    Pod pod(node, {.name = "plain", .kubernetes_namespace = "default"});

    std::set<unsigned long> numbers;
    bool netlink = false;
    unsigned bpf_calls = 0;
    const Output output =
        execute_traced(invocation_of(sallyport_binary(), pod.call("ADD"), node.host), [&](const SystemCall& call) {
            numbers.insert(call.number);
            bpf_calls += call.number == SYS_bpf ? 1 : 0;
            netlink |= call.number == SYS_socket && call.arguments[0] == AF_NETLINK;
            return true;
        });
    REQUIRE(output.status == 0);
    CHECK(numbers.contains(SYS_exit_group));  // the tracer saw the whole run
    CHECK(bpf_calls <= (has_state ? 4 : 0));  // the table, its shape, and an address of each family
    CHECK_FALSE(numbers.contains(SYS_flock));
    CHECK_FALSE(numbers.contains(SYS_setns));
    CHECK_FALSE(netlink);
}

TEST_CASE("a gateway's ADD does make them", "[plain]")  // else the test above could not fail
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    std::set<unsigned long> numbers;
    bool netlink = false;
    const Output output =
        execute_traced(invocation_of(sallyport_binary(), gateway.call("ADD"), node.host), [&](const SystemCall& call) {
            numbers.insert(call.number);
            netlink |= call.number == SYS_socket && call.arguments[0] == AF_NETLINK;
            return true;
        });
    INFO(output.out << output.err);
    REQUIRE(output.status == 0);
    CHECK(numbers.contains(SYS_bpf));
    CHECK(numbers.contains(SYS_flock));
    CHECK(netlink);
}

TEST_CASE("a gateway's ADD on a broken node is refused, not half done", "[plain]")
{
    Node node;
    SECTION("no bpffs mounted")
    {
        node.unmount_bpffs();
    }
    SECTION("the state directory is a file")
    {
        std::ofstream(node.state_dir()) << "a file";
    }
    Pod gateway(node, {.expose = "80:9080"});
    const Answer answer = gateway.add();
    INFO("stdout: " << answer.out << "\nstderr: " << answer.err);
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.code() == 103);
    CHECK(gateway.del().ok());
    CHECK(node.footprint() == nothing);
}
