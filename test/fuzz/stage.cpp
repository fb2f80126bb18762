// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "stage.hpp"

#include "sallyport/address.hpp"
#include "sallyport/wire.hpp"

namespace sallyport::fuzz {
namespace {

const std::vector<std::uint16_t> node_side_ports{80, 80, 80, 8080, 443, 443, 81};
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

Stage::Stage()
{
    pods_.emplace_back(7, "10.0.0.7", "fd00::7");
    pods_.emplace_back(8, "10.0.0.8", "fd00::8");
    pods_.emplace_back(9, "10.0.0.9", "fd00::9");

    // Two node ports that end at one backend, an exact one, one that is spread, and one behind which nobody listens.
    for (const char* any : {"0.0.0.0", "::"}) {
        expose({{any, 80}, IPPROTO_TCP, {1, 0}, abi::SHARE_NEWEST, 9080});
        expose({{any, 8080}, IPPROTO_TCP, {0}, abi::SHARE_NEWEST, 9080});
        expose({{any, 443}, IPPROTO_UDP, {0, 1}, abi::SHARE_SPREAD, 9443});
        expose({{any, 80}, IPPROTO_UDP, {0}, abi::SHARE_NEWEST, 9080});
    }
    for (const char* exact : {"198.51.100.1", "2001:db8:1::1"}) {
        expose({{exact, 443}, IPPROTO_TCP, {1}, abi::SHARE_NEWEST, 9443});
        expose({{exact, 8080}, IPPROTO_UDP, {0, 1}, abi::SHARE_NEWEST, 9443});
    }
    for (const char* address_of_its_own : {"198.51.100.9", "2001:db8:1::9"})
        expose({{address_of_its_own, 443}, IPPROTO_TCP, {2}, abi::SHARE_NEWEST, 9080});
    for (const std::size_t pod : {0, 1})
        for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
            for (const std::uint16_t port : {std::uint16_t{9080}, std::uint16_t{9443}})
                listen(pod, protocol, port);

    v4_ = {product({"203.0.113.7", "203.0.113.8", "10.9.9.9", "198.51.100.1"}, {40000, 40001, 80, 9080}),
           product({"198.51.100.1", "198.51.100.1", "198.51.100.9", "198.51.100.2"}, node_side_ports),
           product({"10.0.0.7", "10.0.0.8", "10.0.0.9"}, pod_side_ports),
           {"192.0.2.1", "192.0.2.2"}};
    v6_ = {product({"2001:db8:7::7", "2001:db8:7::8", "fd00:9::9", "2001:db8:1::1"}, {40000, 40001, 80, 9080}),
           product({"2001:db8:1::1", "2001:db8:1::1", "2001:db8:1::9", "2001:db8:1::2"}, node_side_ports),
           product({"fd00::7", "fd00::8", "fd00::9"}, pod_side_ports),
           {"2001:db8:2::1", "2001:db8:2::2"}};
}

void Stage::expose(const Exposure& exposure)
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
    model_.expose(service_of(exposure.node_port, exposure.protocol), backends);
    exposures_.push_back(exposure);
}

void Stage::listen(std::size_t pod, std::uint8_t protocol, std::uint16_t port)
{
    listeners_.push_back(pods_[pod].listen({true, protocol}, port));  // dual-stack
    for (const bool v6 : {false, true})
        model_.set_listening(service_of(pods_[pod].at({v6, protocol}, port), protocol), true);
}

void Stage::replace_pod(std::size_t index)
{
    test::TestPod& pod = pods_.at(index);
    pod.id = ++last_id_;
    model_.forget(address_of(pod.v4));
    model_.forget(address_of(pod.v6));
    for (const Exposure& exposure : std::vector<Exposure>(std::exchange(exposures_, {})))
        expose(exposure);
}

}  // namespace sallyport::fuzz
