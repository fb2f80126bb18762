// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Containers of a real nerdctl, in whose list we stand in portmap's place. It binds each published port itself before
// it calls us, and leaves the socket to a process of its own, which never answers.
#include "heard.hpp"
#include "nerdctl.hpp"

#include "support/content.hpp"
#include "support/footprint.hpp"
#include "support/places.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <iostream>

using namespace sallyport::test;
using Catch::Matchers::ContainsSubstring;

namespace {

/// The list of conf/, as a user copies it.
Json list_of_conf()
{
    return Json::parse(content(source_directory() + "/conf/nerdctl-bridge.conflist"));
}

std::string from_container(const Nerdctl& nerdctl, const std::string& container, const Target& target)
{
    const Output output =
        nerdctl.call({"exec", container, "/gateway", "ask", target.address, std::to_string(target.port)});
    return name_in(output.out.substr(0, output.out.find('\n')));
}

/// What is left when all containers are gone: nothing of ours, and nobody on the port.
void check_nothing_left(const LocalNode& node)
{
    CHECK(node.settled_footprint() == nothing);
    CHECK(node.cgroup.programs() == nothing);
    for (const std::string& address : {node_v4, node_v6})
        CHECK(ask_tcp(node.client, {address, 8080}) == "refused");
    CHECK(ask_tcp(node.host, {"127.0.0.1", 8080}) == "refused");
}

}  // namespace

TEST_CASE("what nerdctl publishes is reached from everywhere, over both families", "[.][nerdctl]")
{
    LocalNode node;
    Nerdctl nerdctl(node);
    std::cout << nerdctl.must({"--version"}) << ", containerd " << nerdctl.containerd().client().version().version
              << '\n';
    nerdctl.write_list(list_of_conf());
    nerdctl.must_run("web", {"-p", "8080:9080", "-p", "[::]:8080:9080", "-p", "5353:9080/udp"});

    CHECK(from_outside(node, {node_v4, 8080}, "web " + client_v4) == "web " + client_v4);
    CHECK(from_outside(node, {node_v6, 8080}, "web " + client_v6) == "web " + client_v6);
    CHECK(ask_udp(node.client, {node_v4, 5353}) == "web " + client_v4 + '\n');

    for (const std::string& address : {std::string("127.0.0.1"), std::string("::1"), node_v4, node_v6}) {
        CAPTURE(address);
        CHECK(from_node(node, {address, 8080}, "web") == "web");
    }
    nerdctl.must_run("other", {});
    for (const std::string& address : {node_v4, node_v6, std::string("10.4.0.1")}) {
        CAPTURE(address);
        CHECK(from_container(nerdctl, "other", {address, 8080}) == "web");
        CHECK(from_container(nerdctl, "web", {address, 8080}) == "web");
    }
    const Output doctor = node.tool({"doctor", "--cni-conf-dir", nerdctl.list_file().parent_path().string(),
                                     "--cni-bin-dir", (nerdctl.containerd().directory() / "bin").string()});
    INFO(doctor.out);
    CHECK(doctor.status == 0);
    nerdctl.must({"rm", "-f", "web", "other"});
    check_nothing_left(node);
}

TEST_CASE("nerdctl's port at 127.0.0.1 is for the node alone", "[.][nerdctl]")
{
    LocalNode node;
    const Nerdctl nerdctl(node);
    nerdctl.write_list(list_of_conf());
    nerdctl.must_run("web", {"-p", "127.0.0.1:8081:9080"});
    CHECK(from_node(node, {"127.0.0.1", 8081}, "web") == "web");
    CHECK(ask_tcp(node.client, {node_v4, 8081}) == "refused");
    CHECK(ask_tcp(node.client, {node_v6, 8081}) == "refused");
    {
        const Stay as_process(node.cgroup, processes);
        CHECK(ask_tcp(node.host, {node_v4, 8081}) == "refused");
    }
    nerdctl.must_run("other", {});
    CHECK(from_container(nerdctl, "other", {node_v4, 8081}) == "refused");
    nerdctl.must({"rm", "-f", "web", "other"});
    check_nothing_left(node);
}

TEST_CASE("a port that another container of nerdctl publishes is refused", "[.][nerdctl]")
{
    LocalNode node;
    const Nerdctl nerdctl(node);
    nerdctl.write_list(list_of_conf());
    nerdctl.must_run("first", {"-p", "8080:9080", "-p", "[::]:8080:9080", "-p", "5353:9080/udp"});
    const std::string holder = "is held by default-" + nerdctl.must({"ps", "--quiet", "--no-trunc"});

    for (const std::string port : {"8080:9080", "5353:9080/udp"}) {
        const Output output = nerdctl.run("same", {"-p", port});
        CHECK(output.status != 0);
        CHECK_THAT(output.err, ContainsSubstring("failed: port is already allocated"));  // nerdctl's own words
    }
    // nerdctl doesn't see that all addresses have this one among them, nor looks at IPv6; we do.
    for (const std::string port : {node_v4 + ":8080:9080", std::string("[::]:8080:9080")}) {
        const Output output = nerdctl.run("second", {"-p", port});
        CHECK(output.status != 0);
        CHECK_THAT(output.err, ContainsSubstring(holder));
        nerdctl.call({"rm", "-f", "second"});
    }

    CHECK(from_outside(node, {node_v4, 8080}, "first " + client_v4) == "first " + client_v4);
    CHECK(from_outside(node, {node_v6, 8080}, "first " + client_v6) == "first " + client_v6);
    nerdctl.must({"rm", "-f", "first"});
    nerdctl.must_run("second", {"-p", "8080:9080"});
    CHECK(from_outside(node, {node_v4, 8080}, "second " + client_v4) == "second " + client_v4);
    nerdctl.must({"rm", "-f", "second"});
    check_nothing_left(node);
}

// As long as a container is stopped, nerdctl's own process keeps its port: a client is let in, and hears nothing.
TEST_CASE("a container of nerdctl keeps its port over stop, restart, kill, and a new containerd", "[.][nerdctl]")
{
    LocalNode node;
    Nerdctl nerdctl(node);
    nerdctl.write_list(list_of_conf());
    const std::string answer = "web " + client_v4;
    const Target port{node_v4, 8080};
    nerdctl.must_run("web", {"-p", "8080:9080"});
    CHECK(from_outside(node, port, answer) == answer);

    for (const std::string command : {"stop", "kill"}) {
        CAPTURE(command);
        nerdctl.must({command, "web"});
        CHECK(from_outside(node, port, "").empty());
        CHECK(node.settled_footprint() == nothing);
        CHECK(nerdctl.run("other", {"-p", "8080:9080"}).status != 0);
        nerdctl.must({"start", "web"});
        CHECK(from_outside(node, port, answer) == answer);
    }
    nerdctl.must({"restart", "web"});
    CHECK(from_outside(node, port, answer) == answer);
    nerdctl.containerd().restart();
    CHECK(from_outside(node, port, answer) == answer);
    nerdctl.must({"restart", "web"});
    CHECK(from_outside(node, port, answer) == answer);
    nerdctl.must({"rm", "-f", "web"});
    check_nothing_left(node);
}

TEST_CASE("in the lists that nerdctl makes, our name in portmap's place is enough, and stays", "[.][nerdctl]")
{
    LocalNode node;
    const Nerdctl nerdctl(node);
    nerdctl.must_run("before", {});  // makes its list
    nerdctl.must({"rm", "-f", "before"});
    nerdctl.must({"network", "create", "second"});
    const std::filesystem::path of_second = nerdctl.list_file().parent_path() / "default/nerdctl-second.conflist";
    const std::string ours = nerdctl.replace_portmap(nerdctl.list_file());
    nerdctl.replace_portmap(of_second);

    nerdctl.must_run("web", {"-p", "8080:9080", "--net", "bridge", "--net", "second"});  // calls us for both
    CHECK(from_outside(node, {node_v4, 8080}, "web " + client_v4) == "web " + client_v4);
    CHECK(ask_tcp(node.client, {node_v6, 8080}) == "refused");  // neither network has IPv6
    CHECK(node.footprint() != nothing);
    nerdctl.must({"rm", "-f", "web"});
    CHECK(content(nerdctl.list_file()) == ours);
    check_nothing_left(node);
}
