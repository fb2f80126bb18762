// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/devices.hpp"

#include "sallyport/error.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;

namespace {

Device plain_device(int ifindex, const std::string& name)
{
    Device made;
    made.ifindex = ifindex;
    made.name = name;
    return made;
}

std::vector<Device> devices_of_node()
{
    std::vector<Device> devices{plain_device(1, "lo"), plain_device(2, "eth0"), plain_device(3, "bond0"),
                                plain_device(4, "lxc7"), plain_device(5, "wg0")};
    devices[0].loopback = true;
    devices[0].on_link = true;
    devices[1].default_route = true;
    devices[2].on_link = true;
    devices[4].on_link = true;
    devices[4].link_header = LinkHeader::none;
    return devices;
}

std::vector<std::string> names(const std::vector<Device>& devices)
{
    std::vector<std::string> names;
    for (const Device& each : devices)
        names.push_back(each.name);
    return names;
}

using DeviceNames = std::vector<std::string>;

}  // namespace

TEST_CASE("auto takes devices with a default route or a network of their own, and no others")
{
    CHECK(names(outside_devices(std::nullopt, devices_of_node())) == DeviceNames{"eth0", "bond0", "wg0"});
}

TEST_CASE("patterns choose by name")
{
    CHECK(names(outside_devices(DeviceNames{"bond*"}, devices_of_node())) == DeviceNames{"bond0"});
    CHECK(names(outside_devices(DeviceNames{"lxc7", "eth?"}, devices_of_node())) == DeviceNames{"eth0", "lxc7"});
}

TEST_CASE("the loopback and devices with frames of another kind are never taken")
{
    auto devices = devices_of_node();
    devices[1].link_header = LinkHeader::other;
    CHECK(names(outside_devices(DeviceNames{"*"}, devices)) == DeviceNames{"bond0", "lxc7", "wg0"});
    CHECK(names(outside_devices(std::nullopt, devices)) == DeviceNames{"bond0", "wg0"});
}

TEST_CASE("a dummy device is never taken, whatever address or route it has: nothing arrives there")
{
    auto devices = devices_of_node();
    devices.push_back(plain_device(6, "kube-ipvs0"));
    devices.back().kind = "dummy";
    devices.back().on_link = devices.back().default_route = true;
    CHECK(names(outside_devices(std::nullopt, devices)) == DeviceNames{"eth0", "bond0", "wg0"});
    CHECK(names(outside_devices(DeviceNames{"eth0", "kube*"}, devices)) == DeviceNames{"eth0"});
}

TEST_CASE("a port of a bridge or bond isn't taken beside its master")
{
    auto devices = devices_of_node();
    devices[1].master = devices[2].ifindex;
    SECTION("auto: whatever address or route it was left with")
    {
        CHECK(names(outside_devices(std::nullopt, devices)) == DeviceNames{"bond0", "wg0"});
        devices[2].on_link = false;
        CHECK(names(outside_devices(std::nullopt, devices)) == DeviceNames{"wg0"});
    }
    SECTION("patterns: where the master is named too")
    {
        CHECK(names(outside_devices(DeviceNames{"eth*", "bond*"}, devices)) == DeviceNames{"bond0"});
        CHECK(names(outside_devices(DeviceNames{"eth*"}, devices)) == DeviceNames{"eth0"});
    }
}

TEST_CASE("no device at all is an error that names the patterns")
{
    CHECK(outside_devices(std::nullopt, {plain_device(4, "lxc7")}).empty());
    CHECK_NOTHROW(require_any(devices_of_node(), std::nullopt));
    try {
        require_any(outside_devices(DeviceNames{"ens5", "enp*"}, devices_of_node()), DeviceNames{"ens5", "enp*"});
        FAIL("nothing fits");
    } catch (const Error& error) {
        CHECK(error.code() == Code::node_lacks);
        CHECK(std::string(error.what()).find("ens5, enp*") != std::string::npos);
    }
}
