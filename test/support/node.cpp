// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/node.hpp"

#include "sallyport/abi.h"
#include "support/footprint.hpp"
#include "support/sandbox.hpp"

#include <bpf/bpf.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <system_error>
#include <thread>

namespace sallyport::test {

Node::Node()
    : host("node-" + std::to_string(next_number())),
      client("client-of-" + host.name()),
      directory_(sandbox_directory() / host.name())
{
    std::filesystem::create_directories(bpffs());
    std::filesystem::create_directories(directory_ / "cgroup");
    if (mount("bpf", bpffs().c_str(), "bpf", 0, nullptr) != 0)
        throw std::system_error(errno, std::generic_category(), "mount bpffs");
    bpffs_mounted_ = true;

    host.set_sysctl("net/ipv4/ip_forward", "1");
    host.set_sysctl("net/ipv6/conf/all/forwarding", "1");
    host.ip("link add eth0 type veth peer name eth0 netns " + client.name() + "\n" + "addr add " + node_v4 +
            "/24 dev eth0\n" + "addr add " + node_v6 +
            "/64 dev eth0 nodad\n"
            "link set eth0 up\n");
    client.ip("addr add " + client_v4 + "/24 dev eth0\n" + "addr add " + client_v6 +
              "/64 dev eth0 nodad\n"
              "link set eth0 up\n"
              "route add 10.0.0.0/8 via " +
              node_v4 + "\n" + "route add fd00:10::/32 via " + node_v6 + "\n" + "route add 192.0.2.0/24 via " +
              node_v4 + "\n" + "route add 2001:db8::/32 via " + node_v6 + "\n");
    host.ip("route add 0.0.0.0/0 via " + client_v4 + "\n" + "route add ::/0 via " + client_v6 + "\n");

    plugin = {
        {"type", "sallyport"},
        {"capabilities", {{"io.kubernetes.cri.pod-annotations", true}}},
        {"gateways", {{"namespaces", {"gateways", "others"}}, {"ports", {80, 443, "8000-8999"}}}},
        {"bpffs", bpffs().string()},
        {"cgroup", (directory_ / "cgroup").string()},  // no cgroup v2: the machine's own stays out of reach
        {"stateDir", state_dir().string()},
        {"logFile", log_file().string()},
        {"logLevel", "debug"},
    };
}

Node::~Node()
{
    unmount_bpffs();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void Node::unmount_bpffs()
{
    if (bpffs_mounted_)
        umount2(bpffs().c_str(), MNT_DETACH);
    bpffs_mounted_ = false;
}

void Node::pretend_another_build() const
{
    const std::string pin = bpffs() / "sallyport/maps/meta";
    const UniqueFd table(bpf_obj_get(pin.c_str()));
    const std::uint32_t key = 0;
    abi::meta meta{};
    if (!table || bpf_map_lookup_elem(table.get(), &key, &meta) != 0)
        throw std::system_error(errno, std::generic_category(), "read table meta");
    meta.programs++;
    bpf_map_update_elem(table.get(), &key, &meta, BPF_ANY);
}

Output Node::tool(std::vector<std::string> words) const
{
    words.insert(words.begin(), sallyport_binary());
    words.insert(words.end(), {"--bpffs", bpffs().string()});
    return execute({.argv = std::move(words), .netns = &host});
}

Json Node::status() const
{
    const Output output = tool({"status", "--json"});
    if (output.status != 0)
        throw std::runtime_error("sallyport status: " + output.out + output.err);
    return Json::parse(output.out);
}

std::vector<std::string> Node::footprint() const
{
    std::vector<std::string> all = pins_below(bpffs());
    const std::vector<std::string> programs = programs_in(host);
    std::copy(programs.begin(), programs.end(), std::back_inserter(all));
    return all;
}

std::vector<std::string> Node::settled_footprint() const
{
    const auto end = std::chrono::steady_clock::now() + patience;
    std::vector<std::string> left = footprint();
    while (!left.empty() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        left = footprint();
    }
    return left;
}

Answer Node::call(const std::string& command, const Json& extra) const
{
    Json config = plugin_config(list(), plugin, Json::object(), nullptr);
    config.update(extra);
    return call_plugin(sallyport_binary(), {.command = command, .ifname = "", .stdin_text = config.dump()}, host);
}

}  // namespace sallyport::test
