// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "stage.hpp"

#include "sallyport/address.hpp"
#include "sallyport/wire.hpp"

#include <netinet/in.h>

#include <utility>

namespace sallyport::fuzz {
namespace {

const std::vector<std::uint16_t> node_side_ports{80, 80, 80, 8080, 443, 443, 81};
const std::vector<std::uint16_t> client_ports{40000, 40001, 80, 9080};
const std::vector<std::uint16_t> pod_side_ports{9080, 9080, 9443, 9443, 80};

/// Every address with every port.
std::vector<Target> product(const std::vector<std::string>& addresses, const std::vector<std::uint16_t>& ports)
{
    std::vector<Target> ends;
    for (const std::string& address : addresses)
        for (const std::uint16_t port : ports)
            ends.push_back({address, port});
    return ends;
}

}  // namespace

IpAddress address_of(const std::string& text)
{
    return Address::parse(text).value().bytes();
}

Service service_of(const Target& target, std::uint8_t protocol)
{
    return {protocol, {address_of(target.address), target.port}};
}

void Stage::listen(const test::TestPod& pod, std::uint8_t protocol, std::uint16_t port)
{
    listeners_.push_back(pod.listen({true, protocol}, port));  // dual-stack
    for (const bool v6 : {false, true})
        model_.set_listening(service_of(pod.at({v6, protocol}, port), protocol), true);
}

void Stage::give_new_id(test::TestPod& pod)
{
    pod.id = ++last_id_;
    model_.forget(address_of(pod.v4));
    model_.forget(address_of(pod.v6));
}

NodeStage::NodeStage()
{
    pods_.emplace_back(7, "10.0.0.7", "fd00::7");
    pods_.emplace_back(8, "10.0.0.8", "fd00::8");
    pods_.emplace_back(9, "10.0.0.9", "fd00::9");

    // Two node ports that end at one backend, an exact one, one that is spread, and two behind which nobody listens.
    for (const char* any : {"0.0.0.0", "::"}) {
        expose({{any, 80}, IPPROTO_TCP, {1, 0}, abi::SHARE_NEWEST, 9080});
        expose({{any, 8080}, IPPROTO_TCP, {0}, abi::SHARE_NEWEST, 9080});
        expose({{any, 443}, IPPROTO_UDP, {0, 1}, abi::SHARE_SPREAD, 9443});
        expose({{any, 80}, IPPROTO_UDP, {0}, abi::SHARE_NEWEST, 9080});
    }
    for (const char* exact : {"198.51.100.1", "2001:db8:1::1"}) {
        expose({{exact, 443}, IPPROTO_TCP, {1}, abi::SHARE_NEWEST, 9443});
        expose({.node_port = {exact, 8080},
                .protocol = IPPROTO_UDP,
                .pods = {0, 1},
                .share = abi::SHARE_NEWEST,
                .container_port = 9443,
                .settle_ms = 50});
    }
    // Four bytes before its destination port, a packet that says its header is shorter has this address: port 80.
    for (const char* own : {"198.51.0.80", "198.51.100.9", "2001:db8:1::9"}) {
        expose({{own, 443}, IPPROTO_TCP, {2}, abi::SHARE_NEWEST, 9080});
        expose({.node_port = {own, 8080},
                .protocol = IPPROTO_TCP,
                .pods = {2},
                .share = abi::SHARE_NEWEST,
                .container_port = 9443,
                .hold_ms = 15000});
    }
    // The younger pod doesn't listen.
    for (const char* own : {"198.51.100.9", "2001:db8:1::9"})
        for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
            expose({{own, 80}, protocol, {2, 0}, abi::SHARE_NEWEST, 9080});
    for (const std::size_t pod : {0U, 1U})
        for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
            for (const std::uint16_t port : {std::uint16_t{9080}, std::uint16_t{9443}})
                listen(pods_[pod], protocol, port);

    v4_ = {product({"203.0.113.7", "203.0.113.8", "10.9.9.9", "198.51.100.1"}, client_ports),
           product({"198.51.100.1", "198.51.100.1", "198.51.0.80", "198.51.100.9", "198.51.100.2"}, node_side_ports),
           product({"10.0.0.7", "10.0.0.8", "10.0.0.9"}, pod_side_ports),
           {"192.0.2.1", "192.0.2.2"}};
    v6_ = {product({"2001:db8:7::7", "2001:db8:7::8", "fd00:9::9", "2001:db8:1::1"}, client_ports),
           product({"2001:db8:1::1", "2001:db8:1::1", "2001:db8:1::9", "2001:db8:1::2"}, node_side_ports),
           product({"fd00::7", "fd00::8", "fd00::9"}, pod_side_ports),
           {"2001:db8:2::1", "2001:db8:2::2"}};
}

void NodeStage::expose(const Exposure& exposure)
{
    std::vector<const test::TestPod*> pods;
    std::vector<Service> backends;
    const bool v6 = exposure.node_port.address.find(':') != std::string::npos;
    for (const std::size_t index : exposure.pods) {
        pods.push_back(&pods_[index]);
        backends.push_back(
            service_of(pods_[index].at({v6, exposure.protocol}, exposure.container_port), exposure.protocol));
    }
    programs_.expose(exposure.node_port, exposure.protocol, pods, exposure.share, exposure.container_port);
    programs_.change(exposure.node_port, exposure.protocol, [&](abi::node_port& port) {
        for (std::uint32_t i = 0; i < port.count; i++) {
            port.backends[i].hold_ms = exposure.hold_ms;
            port.backends[i].settle_ms = exposure.settle_ms;
        }
    });
    model_.expose(service_of(exposure.node_port, exposure.protocol), backends);
    exposures_.push_back(exposure);
}

void NodeStage::replace_pod(std::uint64_t number)
{
    give_new_id(pods_[number % pods_.size()]);
    for (const Exposure& exposure : std::exchange(exposures_, {}))
        expose(exposure);
}

PodStage::PodStage()
{
    remap();
    for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
        listen(pod_, protocol, 9080);
    v4_ = {product({"203.0.113.7", "203.0.113.8", "10.0.0.7"}, client_ports),
           product({"10.0.0.7", "10.0.0.7", "10.0.0.8"}, node_side_ports),
           product({"10.0.0.7"}, pod_side_ports),
           {"192.0.2.1", "192.0.2.2"}};
    v6_ = {product({"2001:db8:7::7", "2001:db8:7::8", "fd00::7"}, client_ports),
           product({"fd00::7", "fd00::7", "fd00::8"}, node_side_ports),
           product({"fd00::7"}, pod_side_ports),
           {"2001:db8:2::1", "2001:db8:2::2"}};
}

/// Two ports that end at one listener, and one at which nobody listens.
void PodStage::remap()
{
    for (const test::Kind kind : test::every_kind)
        for (const auto& [port, container_port] : {std::pair(80, 9080), std::pair(443, 9080), std::pair(8080, 9443)}) {
            const auto from = static_cast<std::uint16_t>(port);
            const auto to = static_cast<std::uint16_t>(container_port);
            programs_.remap(pod_, kind, from, to);
            model_.expose(service_of(pod_.at(kind, from), kind.protocol),
                          {service_of(pod_.at(kind, to), kind.protocol)});
        }
}

void PodStage::replace_pod(std::uint64_t /*number*/)
{
    give_new_id(pod_);
    remap();
}

}  // namespace sallyport::fuzz
