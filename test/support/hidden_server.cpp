// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/hidden_server.hpp"

#include "support/places.hpp"
#include "support/subprocess.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace sallyport::test {
namespace {

constexpr std::uint16_t elsewhere_port = 15006;
constexpr int number_of_no_device = 77;

/// Loads a ruleset in the pod's namespace.
void nft(const Namespace& netns, const std::string& rules)
{
    must_execute({.argv = {"/usr/sbin/nft", "-f", "-"}, .input = rules, .netns = &netns});
}

void forward(const Namespace& netns)
{
    netns.set_sysctl("net/ipv4/ip_forward", "1");
    netns.set_sysctl("net/ipv6/conf/all/forwarding", "1");
}

/// One chain of a table, a rule a line.
std::string chain(const std::string& hook, const std::string& rules)
{
    return "table inet hidden {\nchain " + hook.substr(0, hook.find(' ')) + " {\ntype " +
           hook.substr(hook.find(' ') + 1) + ";\n" + rules + "}\n}\n";
}

const std::string in = "in nat hook prerouting priority -100";
const std::string out = "out nat hook postrouting priority 100";
const std::string before = "before filter hook prerouting priority -150";

void redirect(const Namespace& netns)
{
    nft(netns, chain(in, "tcp dport 9080 redirect to :15006\nudp dport 9080 redirect to :15006\n"));
}

void lead_elsewhere(const Namespace& netns, const Pod& other)
{
    forward(netns);
    std::string rules;
    for (const std::string protocol : {"tcp", "udp"})
        rules += "meta nfproto ipv4 " + protocol + " dport 9080 dnat ip to " + other.v4 + ":15006\n" +
                 "meta nfproto ipv6 " + protocol + " dport 9080 dnat ip6 to [" + other.v6 + "]:15006\n";
    nft(netns, chain(in, rules) + chain(out, "masquerade\n"));
}

void hand_to_proxy(const Namespace& netns)
{
    nft(netns, chain(before, "meta nfproto ipv4 tcp dport 9080 tproxy ip to :15006 meta mark set 1 accept\n"
                             "meta nfproto ipv6 tcp dport 9080 tproxy ip6 to :15006 meta mark set 1 accept\n"));
    for (const char* family : {"-4", "-6"}) {
        must_execute({.argv = {"ip", family, "rule", "add", "fwmark", "1", "lookup", "100"}, .netns = &netns});
        must_execute(
            {.argv = {"ip", family, "route", "add", "local", "default", "dev", "lo", "table", "100"}, .netns = &netns});
    }
}

/// The pod's addresses move to a namespace within, as those of a KubeVirt pod do.
void move_addresses(const Pod& pod, const Namespace& machine)
{
    forward(pod.netns);
    pod.netns.set_sysctl("net/ipv4/conf/eth0/proxy_arp", "1");
    pod.netns.set_sysctl("net/ipv6/conf/eth0/proxy_ndp", "1");
    pod.netns.ip("link add vm0 type veth peer name eth0 netns " + machine.name() +
                 "\n"
                 "addr add 169.254.8.1/32 dev eth0\n"  // with its last address, its routes would go
                 "addr del " +
                 pod.v4 + "/32 dev eth0\naddr del " + pod.v6 +
                 "/128 dev eth0\n"
                 "addr add 169.254.7.1/32 dev vm0\naddr add fe80::7:1/64 dev vm0 nodad\nlink set vm0 up\n"
                 "route add " +
                 pod.v4 + "/32 dev vm0\nroute add " + pod.v6 +
                 "/128 dev vm0\n"
                 "neigh add proxy " +
                 pod.v6 + " dev eth0\n");
    machine.ip("addr add " + pod.v4 + "/32 dev eth0\naddr add " + pod.v6 +
               "/128 dev eth0 nodad\nlink set eth0 up\n"
               "route add 169.254.7.1/32 dev eth0\nroute add 0.0.0.0/0 via 169.254.7.1\n"
               "route add ::/0 via fe80::7:1 dev eth0\n");
}

/// A container's bundle: the server of tier runtime, in the pod's network.
void write_bundle(const std::filesystem::path& bundle, const Pod& pod)
{
    std::filesystem::create_directories(bundle / "rootfs");
    std::filesystem::copy_file(runtime_gateway(), bundle / "rootfs/gateway");
    Json namespaces = Json::array();
    for (const char* type : {"pid", "ipc", "uts", "mount"})
        namespaces.push_back({{"type", type}});
    namespaces.push_back({{"type", "network"}, {"path", pod.netns.path()}});
    std::ofstream(bundle / "config.json")
        << Json{{"ociVersion", "1.0.0"},
                {"hostname", pod.spec().name},
                {"root", {{"path", "rootfs"}, {"readonly", true}}},
                {"process", {{"args", {"/gateway"}}, {"cwd", "/"}, {"user", {{"uid", 0}, {"gid", 0}}}}},
                {"linux", {{"namespaces", namespaces}}}};
}

}  // namespace

/// A container of gVisor's.
class Sandboxed
{
public:
    Sandboxed(const std::filesystem::path& directory, const Pod& pod) : directory_(directory)
    {
        write_bundle(directory_ / "bundle", pod);
        must_execute({.argv = command({"run", "--detach", "--bundle", (directory_ / "bundle").string(), "gateway"})});
    }
    ~Sandboxed() { execute({.argv = command({"delete", "--force", "gateway"})}); }

private:
    std::vector<std::string> command(const std::vector<std::string>& arguments) const
    {
        std::vector<std::string> words{runsc(),     "--root",          (directory_ / "root").string(),
                                       "--network", "sandbox",         "--platform",
                                       "systrap",   "--ignore-cgroups"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return words;
    }

    std::filesystem::path directory_;
};

std::string runsc()
{
    const char* path = std::getenv("SALLYPORT_RUNSC");
    return path != nullptr ? path : "";
}

std::string name_of(Hiding hiding)
{
    switch (hiding) {
    case Hiding::redirect:
        return "redirect";
    case Hiding::elsewhere:
        return "elsewhere";
    case Hiding::tproxy:
        return "tproxy";
    case Hiding::bound_device:
        return "bound_device";
    case Hiding::machine:
        return "machine";
    case Hiding::gvisor:
        return "gvisor";
    }
    return {};
}

PodSpec spec_for(Hiding hiding, PodSpec spec)
{
    if (hiding == Hiding::bound_device)
        spec.device_number = number_of_no_device;
    return spec;
}

HiddenServer::HiddenServer(Node& node, const Pod& pod, Hiding hiding) : hiding_(hiding), name_(pod.spec().name)
{
    switch (hiding) {
    case Hiding::redirect:
        redirect(pod.netns);
        listen(pod.netns, elsewhere_port);
        break;
    case Hiding::elsewhere:
        other_ = std::make_unique<Pod>(node, PodSpec{.name = "other"});
        lead_elsewhere(pod.netns, *other_);
        listen(other_->netns, elsewhere_port);
        break;
    case Hiding::tproxy:
        hand_to_proxy(pod.netns);
        tcp_.push_back(std::make_unique<TcpServer>(pod.netns, name_, Target{"::", elsewhere_port},
                                                   BindOptions{.transparent = true}));
        break;
    case Hiding::bound_device:
        listen(pod.netns, 9080, {.device = "eth0"});
        break;
    case Hiding::machine:
        machine_ = std::make_unique<Namespace>(pod.netns.name() + "-machine");
        move_addresses(pod, *machine_);
        listen(*machine_, 9080);
        break;
    case Hiding::gvisor:
        gvisor_ = std::make_unique<Sandboxed>(node.directory() / ("gvisor-of-" + pod.netns.name()), pod);
        for (const auto end = std::chrono::steady_clock::now() + 2 * patience;
             ask_tcp(node.host, {pod.v4, 9080}).find(name_) != 0 && std::chrono::steady_clock::now() < end;)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        break;
    }
}

HiddenServer::~HiddenServer() = default;

void HiddenServer::listen(const Namespace& netns, std::uint16_t port, const BindOptions& options)
{
    tcp_.push_back(std::make_unique<TcpServer>(netns, name_, Target{"::", port}, options));
    udp_.push_back(std::make_unique<UdpServer>(netns, name_, Target{"::", port}, options));
}

}  // namespace sallyport::test
