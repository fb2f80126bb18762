// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `sallyport doctor` on a healthy node, and on nodes with one thing wrong each: is it found, and is there advice?
#include "support/chain.hpp"
#include "support/cilium_services.hpp"
#include "support/node.hpp"
#include "support/quiet_device.hpp"
#include "support/require_ok.hpp"
#include "support/serves.hpp"
#include "support/traffic.hpp"
#include "support/traps.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <optional>

using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

/// A node whose runtime is configured: a list with us in it, and our binary.
struct Clinic : Node
{
    Clinic()
    {
        fs::create_directories(conf_dir());
        fs::create_directories(bin_dir());
        fs::copy_file(sallyport_binary(), bin_dir() / "sallyport");
        write_list({{{"type", "ptp"}}, plugin});
    }

    fs::path conf_dir() const { return directory() / "net.d"; }
    fs::path bin_dir() const { return directory() / "bin"; }

    void write_list(const Json& plugins, const std::string& file = "05-pods.conflist") const
    {
        Json written = list();
        written["plugins"] = plugins;
        std::ofstream(conf_dir() / file) << written.dump(2);
    }

    Output doctor(const std::vector<std::string>& more = {}) const
    {
        std::vector<std::string> words{"doctor",
                                       "--cni-conf-dir",
                                       conf_dir().string(),
                                       "--cni-bin-dir",
                                       bin_dir().string(),
                                       "--config",
                                       (directory() / "none").string()};
        words.insert(words.end(), more.begin(), more.end());
        return tool(words);
    }

    /// The findings of one check that aren't in order; fails the test where a level is another one.
    Json finding(const std::string& check, const std::string& level) const
    {
        const Output output = doctor({"--json"});
        INFO(output.out << output.err);
        const Json report = Json::parse(output.out);
        CHECK(output.status == (report.at("failures") > 0 ? 1 : 0));
        for (const Json& each : report.at("findings"))
            if (each.at("check") == check && each.at("level") == level)
                return each;
        FAIL("no finding " << check << " of level " << level);
        return {};
    }

    bool finds(const std::string& check, const std::string& level, const std::string& what, const std::string& advice)
    {
        const Json found = finding(check, level);
        INFO(found.dump(2));
        CHECK(found.at("what").get<std::string>().find(what) != std::string::npos);
        CHECK(found.at("advice").get<std::string>().find(advice) != std::string::npos);
        return true;
    }
};

/// A gateway that listens on port 9080.
}  // namespace

TEST_CASE("a healthy node is in order, before and after its first gateway", "[doctor]")
{
    Clinic node;
    CHECK(node.doctor().status == 0);
    CHECK(node.footprint() == nothing);
    const TcpGateway gateway(node);
    const Output output = node.doctor();
    INFO(output.out << output.err);
    CHECK(output.status == 0);
    CHECK(output.err.empty());
    CHECK(output.out.find("FAIL") == std::string::npos);
    CHECK(output.out.find("0 failures") != std::string::npos);
    CHECK(output.out.find("a pod serves behind each node port") != std::string::npos);
    CHECK(output.out.find('\x1b') == std::string::npos);
}

TEST_CASE("the doctor reads the runtime's configuration", "[doctor]")
{
    Clinic node;
    SECTION("without us")
    {
        node.write_list({{{"type", "ptp"}}});
        CHECK(node.finds("present", "failure", "05-pods.conflist", "sallyport install"));
    }
    SECTION("moved away by Cilium")
    {
        node.write_list({{{"type", "cilium-cni"}}});
        node.write_list({{{"type", "ptp"}}, node.plugin}, "10-pods.conflist.cilium_bak");
        CHECK(node.finds("present", "failure", "cilium_bak", "cni.exclusive=false"));
    }
    SECTION("as a drop-in")
    {
        node.write_list({{{"type", "cilium-cni"}}});
        fs::create_directories(node.conf_dir() / node.network);
        std::ofstream(node.conf_dir() / node.network / "10-sallyport.conf") << node.plugin.dump();
        CHECK(node.finds("drop-in", "note", "containerd reads", "--chain conflist"));
        CHECK(node.doctor().status == 0);
    }
    SECTION("a drop-in that breaks the network")
    {
        fs::create_directories(node.conf_dir() / node.network);
        std::ofstream(node.conf_dir() / node.network / "10-tuning.conf") << R"({"type": "tuning"})";
        std::ofstream(node.conf_dir() / node.network / "20-half.conf") << R"({"type": "tun)";
        CHECK(node.finds("drop-in", "failure", "20-half.conf", "remove it"));
    }
    SECTION("a file in the place of the drop-ins' directory")
    {
        std::ofstream(node.conf_dir() / node.network) << "x";
        CHECK(node.finds("drop-in", "failure", "Not a directory", "remove it"));
    }
    SECTION("in a list that another one hides")
    {
        node.write_list({{{"type", "ptp"}}}, "00-first.conflist");
        CHECK(node.finds("present", "failure", "stands only in " + (node.conf_dir() / "05-pods.conflist").string(),
                         "sallyport install"));
    }
    SECTION("files that aren't ones")
    {
        fs::create_directories(node.conf_dir() / "00-directory.conflist");
        fs::create_symlink("nowhere", node.conf_dir() / "01-dangling.conflist");
        REQUIRE(::mkfifo((node.conf_dir() / "02-fifo.conflist").c_str(), 0600) == 0);
        CHECK(node.finds("active", "ok", "05-pods.conflist", ""));
    }
    SECTION("refused")
    {
        node.plugin["devices"] = 5;
        node.write_list({{{"type", "ptp"}}, node.plugin});
        CHECK(node.finds("config", "failure", "/devices", "correct it"));
    }
    SECTION("nobody may expose anything")
    {
        node.plugin.erase("gateways");
        node.write_list({{{"type", "ptp"}}, node.plugin});
        CHECK(node.finds("gateways", "warning", "no pod may expose", "05-pods.conflist"));
    }
    SECTION("half-written")
    {
        std::ofstream(node.conf_dir() / "00-half.conflist") << R"({"name": "pods", "plug)";
        CHECK(node.finds("active", "failure", "00-half.conflist", "remove it"));
    }
}

TEST_CASE("the doctor looks for the binary", "[doctor]")
{
    Clinic node;
    SECTION("missing")
    {
        fs::remove(node.bin_dir() / "sallyport");
        CHECK(node.finds("binary", "failure", "isn't there", "sallyport install"));
    }
    SECTION("not executable")
    {
        fs::permissions(node.bin_dir() / "sallyport", fs::perms::owner_read);
        CHECK(node.finds("binary", "failure", "isn't executable", "chmod"));
    }
    SECTION("another build")
    {
        std::ofstream(node.bin_dir() / "sallyport", std::ios::app) << "x";
        CHECK(node.finds("binary", "warning", "another build", "version"));
    }
}

TEST_CASE("the doctor knows the traps of node ports", "[doctor]")
{
    Clinic node;
    node.plugin["gateways"]["ports"] = {80, 443, 30080, 40080};
    SECTION("Kubernetes' range")
    {
        const TcpGateway gateway(node, "30080:9080");
        CHECK(node.finds("node-port-range", "warning", "30080/tcp", "below 30000"));
    }
    SECTION("above it")
    {
        const TcpGateway gateway(node, "40080:9080");
        CHECK(node.finds("high-port", "note", "40080/tcp", "ip_local_port_range"));
    }
    SECTION("a service of Cilium")
    {
        const TcpGateway gateway(node, "80:9080, 443:9080");
        // The API server's ClusterIP is on every cluster, and nobody's but Cilium's.
        const CiliumServices services(
            node.bpffs(), {{.frontend = {"10.96.0.1", 443}, .backends = {{node_v4, 6443}}},
                           {.frontend = {node_v4, 80}, .flags = cilium_host_port, .backends = {{"10.1.9.9", 8080}}}});
        CHECK(node.finds("cilium-service", "warning", node_v4 + ":80/tcp (a hostPort)", "service list"));
        CHECK(node.finding("cilium-service", "warning").at("what").get<std::string>().find("443") == std::string::npos);
    }
    SECTION("a whole address of Cilium's")
    {
        node.plugin["addresses"] = {"192.0.2.0/28"};
        node.write_list({{{"type", "ptp"}}, node.plugin});
        const TcpGateway gateway(node);
        const CiliumServices services(node.bpffs(), {{.frontend = {"192.0.2.9", 0}, .flags = cilium_load_balancer}});
        CHECK(node.finds("cilium-address", "warning", "192.0.2.9 is a load balancer's address", "`!`"));
    }
    SECTION("addresses of a proxy's device")
    {
        add_quiet_device(node.host, "kube-ipvs0", {"10.96.0.1/32"});
        node.plugin["addresses"] = {"10.96.0.0/24"};
        node.write_list({{{"type", "ptp"}}, node.plugin});
        const TcpGateway gateway(node);
        CHECK(node.finds("caught", "warning", "10.96.0.1 on kube-ipvs0", "single addresses"));
    }
    SECTION("nobody listens")
    {
        const TcpGateway gateway(node, "80:9081");
        CHECK(node.finds("listener", "warning", "80/tcp", "sallyport status"));
    }
    SECTION("XDP")
    {
        const TcpGateway gateway(node);
        const XdpProgram xdp(node.host, "eth0");
        CHECK(node.finds("xdp", "warning", "eth0 (cil_xdp_entry)", "loadBalancer.acceleration"));
    }
}

TEST_CASE("the doctor compares what is in the kernel with the node", "[doctor]")
{
    Clinic node;
    std::optional<TcpGateway> gateway(node);
    SECTION("programs of another build")
    {
        node.pretend_another_build();
        CHECK(node.finds("build", "warning", "another build", "ADD"));
    }
    SECTION("another ABI")
    {
        raise_abi(node.bpffs());
        CHECK(node.finds("abi", "failure", "ABI", "drain"));
        for (const char* command : {"status", "flows", "trace"}) {
            const Output output = node.tool({command});
            CHECK(output.status == 1);
            CHECK(output.err.starts_with("sallyport: "));
            CHECK(output.err.find("ABI") != std::string::npos);
        }
    }
    SECTION("somebody before us")
    {
        const Intruder intruder(node.host, "eth0", true);
        CHECK(node.finds("hooks", "failure", "intruder", "repairs"));
    }
    SECTION("an address that came")
    {
        node.host.ip("addr add 192.168.100.77/24 dev eth0\n");
        CHECK(node.finds("addresses", "failure", "192.168.100.77", "follows addresses"));
    }
    SECTION("an address that went")
    {
        node.host.ip("addr del " + node_v4 + "/24 dev eth0\n");
        CHECK(node.finds("addresses", "warning", node_v4, "follows addresses"));
    }
    SECTION("a pod that vanished")
    {
        gateway->pod.netns.remove();
        CHECK(node.finds("vanished", "warning", "gateways/gateway", "removes"));
    }
    SECTION("a table that was lost")
    {
        fs::remove(node.bpffs() / "sallyport/maps/clashes");
        CHECK(node.finds("state", "warning", "complete", "ADD"));
    }
    SECTION("no forwarding")
    {
        node.host.set_sysctl("net/ipv4/ip_forward", "0");
        CHECK(node.finds("forwarding", "failure", "ip_forward", "sysctl"));
    }
    gateway.reset();
}

TEST_CASE("who isn't root is told so, and nothing worse happens", "[doctor]")
{
    Clinic node;
    const TcpGateway gateway(node);
    const auto as_nobody = [&](std::vector<std::string> words) {
        words.insert(words.begin(),
                     {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sallyport_binary()});
        words.insert(words.end(), {"--bpffs", node.bpffs().string()});
        return execute({.argv = words, .netns = &node.host});
    };
    const Output doctor = as_nobody({"doctor", "--cni-conf-dir", node.conf_dir().string()});
    INFO(doctor.out << doctor.err);
    CHECK(doctor.status == 1);
    CHECK(doctor.out.find("run it as root") != std::string::npos);
    for (const char* command : {"status", "flows", "trace"}) {
        const Output output = as_nobody({command});
        CAPTURE(command, output.out, output.err);
        CHECK(output.status == 1);
        CHECK(output.err.starts_with("sallyport: "));
    }
}

TEST_CASE("a bpffs that is a file ends no command but is a finding", "[doctor]")
{
    const Clinic node;
    const std::string file = (node.directory() / "a-file").string();
    std::ofstream(file) << "no file system";
    for (const char* command : {"doctor", "status", "flows"}) {
        const Output output = execute({.argv = {sallyport_binary(), command, "--bpffs", file}, .netns = &node.host});
        CAPTURE(command, output.out, output.err);
        CHECK(output.err.empty());
        CHECK(output.status == (std::string(command) == "doctor" ? 1 : 0));
    }
}
