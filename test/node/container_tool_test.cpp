// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Container tools that hold a published port themselves: nerdctl's hook binds it, leaves it to a process of its own
// (`sleep infinity`), and calls the plugins. That process is no conflict; anybody else's is.
#include "support/content.hpp"
#include "support/node.hpp"
#include "support/require_ok.hpp"
#include "support/sandbox.hpp"
#include "support/traffic.hpp"

#include <sys/types.h>

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <filesystem>
#include <string>

using namespace sallyport::test;

namespace {

/// As nerdctl's createRuntime hook: reserve, or go without where that fails, then call. Its stdin and environment are
/// the plugin's.
constexpr const char* hook = R"(
import socket, subprocess, sys
program, pid_file, port, kinds = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].split(",")
held = []
for kind in kinds:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    try:
        s.bind(("0.0.0.0", port))
        if kind == "tcp":
            s.listen()
        held.append(s)
    except OSError as error:
        print("cannot reserve:", error, file=sys.stderr)
holder = subprocess.Popen(["sleep", "infinity"], pass_fds=[s.fileno() for s in held], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
with open(pid_file, "w") as file:
    file.write(str(holder.pid))
for s in held:
    s.close()
sys.exit(subprocess.run([program]).returncode)
)";

struct Tool
{
    Tool() { node.plugin["capabilities"]["portMappings"] = true; }
    ~Tool() { release(); }

    /// The ADD of a container that publishes port 8080, TCP and UDP.
    Answer run(Pod& pod)
    {
        const PluginCall call = pod.call("ADD");
        Output output =
            execute({.argv = {"python3", "-c", hook, sallyport_binary(), pid_file.string(), "8080", "tcp,udp"},
                     .environment = environment_of(call),
                     .input = call.stdin_text,
                     .netns = &node.host});
        if (output.status == 0)
            pod.result = pod.primary_result;
        return {output.status, std::move(output.out), std::move(output.err)};
    }

    /// Ends the process that holds the port.
    void release()
    {
        if (!std::filesystem::exists(pid_file))
            return;
        ::kill(std::stoi(content(pid_file)), SIGKILL);
        std::filesystem::remove(pid_file);
    }

    Node node;
    std::filesystem::path pid_file = sandbox_directory() / ("holder-" + std::to_string(next_number()));
};

PodSpec container(const std::string& kubernetes_namespace = "")
{
    const Json mappings{{{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "tcp"}},
                        {{"hostPort", 8080}, {"containerPort", 80}, {"protocol", "udp"}}};
    return {.name = "web", .kubernetes_namespace = kubernetes_namespace, .port_mappings = mappings};
}

}  // namespace

TEST_CASE("a container tool's own process on the port is no conflict, nor after stop and start", "[container tool]")
{
    Tool tool;
    for (const std::string round : {"run", "start", "restart"}) {
        CAPTURE(round);
        Pod pod(tool.node, container());
        const TcpServer tcp(pod.netns, "web", {"::", 80});
        const UdpServer udp(pod.netns, "web", {"::", 80});
        const Answer answer = tool.run(pod);
        CHECK(answer.err.find("cannot reserve") == std::string::npos);
        require_ok(answer);
        CHECK(ask_tcp(tool.node.client, {node_v4, 8080}) == "web " + client_v4);
        CHECK(ask_udp(tool.node.client, {node_v4, 8080}) == "web " + client_v4 + " 3");
        require_ok(pod.del());
        tool.release();
    }
    CHECK(tool.node.settled_footprint() == nothing);
}

TEST_CASE("another container's process on the port is a conflict", "[container tool]")
{
    Tool first;
    Pod pod(first.node, container());
    require_ok(first.run(pod));
    require_ok(pod.del());  // but its process stays

    Pod second(first.node, container());
    const std::filesystem::path of_first = std::exchange(first.pid_file, sandbox_directory() / "holder-of-second");
    const Answer answer = first.run(second);
    INFO(answer.out << answer.err);
    CHECK(answer.err.find("cannot reserve") != std::string::npos);
    REQUIRE(answer.code() == 101);
    CHECK(answer.message().find("process sleep (pid " + content(of_first) + ")") != std::string::npos);
    first.release();
    first.pid_file = of_first;
}

TEST_CASE("a port that another container publishes is refused, naming it, where no process holds it",
          "[container tool]")
{
    Tool tool;  // as nerdctl before 2.1.6, and with IPv6 up to today
    const auto spec = [](const std::string& host_ip) {
        PodSpec result = container();
        result.name.clear();
        result.port_mappings.erase(1);
        result.port_mappings[0]["hostIP"] = host_ip;
        return result;
    };
    Pod first(tool.node, spec(node_v6));
    const TcpServer tcp(first.netns, "first", {"::", 80});
    require_ok(first.add());

    Pod second(tool.node, spec("::"));
    const TcpServer of_second(second.netns, "second", {"::", 80});
    const Answer answer = second.add();
    INFO(answer.out << answer.err);
    REQUIRE(answer.code() == 101);
    CHECK(answer.message().find("held by " + first.container_id + " (as [" + node_v6 + "]:8080/tcp)") !=
          std::string::npos);
    require_ok(second.del());
    CHECK(ask_tcp(tool.node.client, {node_v6, 8080}) == "first " + client_v6);

    require_ok(first.del());
    require_ok(second.add());
    CHECK(ask_tcp(tool.node.client, {node_v6, 8080}) == "second " + client_v6);
    require_ok(second.del());
    CHECK(tool.node.settled_footprint() == nothing);
}

TEST_CASE("in Kubernetes nobody holds a pod's port for it", "[container tool]")
{
    Tool tool;
    Pod pod(tool.node, container("default"));
    const Answer answer = tool.run(pod);
    INFO(answer.out << answer.err);
    CHECK(answer.code() == 101);
}

TEST_CASE("what a container wants by annotation is no tool's to hold", "[container tool]")
{
    Tool tool;
    tool.node.plugin["gateways"] = {{"namespaces", {"*"}}, {"ports", {8080}}};
    PodSpec spec = container();
    spec.port_mappings = Json::array();
    spec.expose = "8080:80";
    Pod pod(tool.node, spec);
    const Answer answer = tool.run(pod);
    INFO(answer.out << answer.err);
    CHECK(answer.code() == 101);
}
