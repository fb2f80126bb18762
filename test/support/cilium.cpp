// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/cilium.hpp"

#include "support/errors.hpp"
#include "support/subprocess.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cilium.skel.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace sallyport::test {
namespace {

/// As in cilium.bpf.c.
using Ip = std::array<std::uint8_t, 16>;

struct Endpoint
{
    std::uint32_t device = 0;
    std::array<std::uint8_t, 6> device_mac{};
    std::array<std::uint8_t, 6> pod_mac{};
};

struct Permission
{
    Ip pod{};
    std::uint16_t port = 0;  // network byte order
    std::uint8_t protocol = 0;
    std::uint8_t zero = 0;
};

Ip ip_of(const std::string& text)
{
    const SocketAddress address({text, 0});
    Ip ip{};
    if (address.storage.ss_family == AF_INET) {
        ip[10] = ip[11] = 0xff;
        std::memcpy(ip.data() + 12, &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr, 4);
    } else {
        std::memcpy(ip.data(), &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr, 16);
    }
    return ip;
}

/// Of a device of the namespace that this thread is in.
std::array<std::uint8_t, 6> mac_of(const std::string& device)
{
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
    if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0)
        fail(errno, "hardware address of " + device);
    std::array<std::uint8_t, 6> mac{};
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

int program_of(const cilium& object, const std::string& name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(object.obj, name.c_str()));
}

bpf_tc_hook clsact(const std::string& device, bool ingress)
{
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    hook.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
    return hook;
}

}  // namespace

struct Cilium::Hook
{
    std::string device;
    bool ingress = true;
    const char* program;
    UniqueFd link{};  ///< tcx mode
};

void Cilium::Destroy::operator()(cilium* object) const noexcept
{
    cilium::destroy(object);
}

/// The programs, with the maps of the older ones where there are any.
Cilium::Object Cilium::load(const cilium* older)
{
    Object object(cilium::open());
    if (!object)
        fail(errno, "open cilium.bpf.o");
    bpf_map* map = nullptr;
    if (older)
        bpf_object__for_each_map(map, object->obj)
            bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(older->obj, bpf_map__name(map)));
    if (cilium::load(object.get()) != 0)
        fail(errno, "load cilium.bpf.o");
    return object;
}

Cilium::Cilium(Node& node, Mode mode, std::vector<std::string> devices)
    : node_(node),
      mode_(mode),
      object_(load(nullptr))
{
    detach_all_of_cgroup(node.plugin.at("cgroup").get<std::string>());
    for (const std::string& device : devices) {
        attach(device, true, "cil_from_netdev");
        attach(device, false, "cil_to_netdev");
    }
}

Cilium::~Cilium() = default;

void Cilium::attach(const std::string& device, bool ingress, const char* program)
{
    hooks_.push_back({device, ingress, program});
    Hook& hook = hooks_.back();
    node_.host.run([&] {
        if (mode_ != Mode::tcx) {
            bpf_tc_hook qdisc = clsact(device, ingress);
            if (const int error = bpf_tc_hook_create(&qdisc); error != 0 && error != -EEXIST)
                fail(-error, "make clsact on " + device);
            attach_filter(hook, 0);
            return;
        }
        LIBBPF_OPTS(bpf_link_create_opts, options);  // the tail
        hook.link =
            UniqueFd(bpf_link_create(program_of(*object_, program), static_cast<int>(if_nametoindex(device.c_str())),
                                     ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, &options));
        if (!hook.link)
            fail(errno, std::string("attach ") + program + " to " + device);
    });
}

void Cilium::attach_filter(const Hook& hook, unsigned flags) const
{
    const bpf_tc_hook qdisc = clsact(hook.device, hook.ingress);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program_of(*object_, hook.program), .flags = flags, .handle = 1,
                .priority = priority());
    if (const int error = bpf_tc_attach(&qdisc, &options); error != 0)
        fail(-error, std::string("add filter ") + hook.program + " to " + hook.device);
}

void Cilium::connect(const Pod& pod, const std::vector<Port>& allowed)
{
    const std::string device = pod.primary_result.at("interfaces").at(0).at("name");
    Endpoint endpoint;
    node_.host.run([&] {
        endpoint.device = if_nametoindex(device.c_str());
        endpoint.device_mac = mac_of(device);
    });
    pod.netns.run([&] { endpoint.pod_mac = mac_of("eth0"); });
    for (const std::string& address : {pod.v4, pod.v6}) {
        if (address.empty())
            continue;
        const Ip ip = ip_of(address);
        if (bpf_map_update_elem(bpf_map__fd(object_->maps.endpoints), &ip, &endpoint, BPF_ANY) != 0)
            fail(errno, "make an endpoint of " + address);
        for (const Port& port : allowed) {
            const Permission permission{ip, htons(port.number), static_cast<std::uint8_t>(port.protocol)};
            const std::uint32_t one = 1;
            if (bpf_map_update_elem(bpf_map__fd(object_->maps.policy), &permission, &one, BPF_ANY) != 0)
                fail(errno, "open a port of " + address);
        }
    }
    attach(device, true, "cil_from_container");
}

void Cilium::restart()
{
    detach_all_of_cgroup(node_.plugin.at("cgroup").get<std::string>());
    object_ = load(object_.get());
    for (const Hook& hook : hooks_) {
        if (mode_ != Mode::tcx) {
            node_.host.run([&] { attach_filter(hook, BPF_TC_F_REPLACE); });
            continue;
        }
        if (bpf_link_update(hook.link.get(), program_of(*object_, hook.program), nullptr) != 0)
            fail(errno, std::string("replace ") + hook.program);
        execute({.argv = {"tc", "filter", "del", "dev", hook.device, hook.ingress ? "ingress" : "egress"},
                 .netns = &node_.host});  // fails where there is no clsact
    }
}

void Cilium::reattach()
{
    for (const Hook& hook : hooks_)
        node_.host.run([&] {
            const bpf_tc_hook qdisc = clsact(hook.device, hook.ingress);
            LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = priority());
            if (const int error = bpf_tc_detach(&qdisc, &options); error != 0)
                fail(-error, "remove the filter of " + hook.device);
            attach_filter(hook, 0);
        });
}

std::uint64_t Cilium::drops(const std::string& reason) const
{
    const std::vector<std::string> reasons{"invalid source", "policy denied", "fragment unknown"};
    const auto key = static_cast<std::uint32_t>(std::find(reasons.begin(), reasons.end(), reason) - reasons.begin());
    std::uint64_t count = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(object_->maps.drops), &key, &count) != 0)
        fail(errno, "count of drops: " + reason);
    return count;
}

}  // namespace sallyport::test
