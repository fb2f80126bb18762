// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// read_node_network and netns_id_of against the running kernel, with real devices.
#include "os_support.hpp"

#include "support/refusal.hpp"

namespace sallyport {

namespace {

Device device(const NodeNetwork& network, const std::string& name)
{
    const auto found = std::ranges::find(network.devices, name, &Device::name);
    INFO("device " << name);
    REQUIRE(found != network.devices.end());
    return *found;
}

std::vector<std::string> addresses(const NodeNetwork& network)
{
    std::vector<std::string> texts;
    for (const LocalAddress& local : network.addresses)
        if (!local.address.to_string().starts_with("fe80:"))  // made up from random MAC addresses
            texts.push_back(local.address.to_string());
    std::ranges::sort(texts);
    return texts;
}

}  // namespace

// ---- read_node_network -------------------------------------------------------------------------------------------

TEST_CASE("a fresh namespace has a loopback device and nothing else")
{
    const PrivateNetns netns;
    const NodeNetwork network = read_node_network();

    const Device lo = device(network, "lo");
    CHECK(lo.loopback);
    CHECK_FALSE(lo.default_route);
    CHECK_FALSE(lo.on_link);
    CHECK(network.default_sources.empty());
    CHECK(addresses(network).empty());
}

TEST_CASE("devices are told by what frames they carry")
{
    const PrivateNetns netns;
    ip("link add left type veth peer name right\n");
    const NodeNetwork network = read_node_network();

    CHECK(device(network, "left").link_header == LinkHeader::ethernet);
    CHECK(device(network, "left").kind == "veth");
    CHECK(device(network, "lo").kind.empty());
    CHECK_FALSE(device(network, "left").loopback);
    CHECK(device(network, "left").ifindex != device(network, "right").ifindex);
    CHECK(device(network, "left").ifindex > 0);

    if (::access("/dev/net/tun", R_OK | W_OK) != 0)
        SKIP("no /dev/net/tun for a device without Ethernet header");
    ip("tuntap add dev tun0 mode tun\n");
    CHECK(device(read_node_network(), "tun0").link_header == LinkHeader::none);
}

TEST_CASE("a bridge's port names its master; so read alone as in the list")
{
    const PrivateNetns netns;
    ip("link add bridge type bridge\n"
       "link add left type veth peer name right\n"
       "link set left master bridge\n");
    const NodeNetwork network = read_node_network();
    CHECK(device(network, "left").master == device(network, "bridge").ifindex);
    CHECK(device(network, "right").master == 0);
    CHECK(device(network, "bridge").master == 0);

    CHECK(read_device("left").ifindex == device(network, "left").ifindex);
    CHECK(read_device("left").master == device(network, "bridge").ifindex);
    test::require_refusal([] { read_device("nothing"); }, Code::node_lacks, {"nothing", "ip link show"});
}

TEST_CASE("addresses are those of all devices, with what has them")
{
    const PrivateNetns netns;
    ip("link add left type veth peer name right\n"
       "link set lo up\n"
       "addr add 192.0.2.1/24 dev left\n"
       "addr add 2001:db8::1/64 dev left nodad\n"
       "addr add 198.51.100.1/32 dev left\n"
       "addr add 198.51.100.1/32 dev right\n"
       "addr add 203.0.113.1 peer 203.0.113.2/32 dev right\n"
       "addr add 2001:db8:1::1 peer 2001:db8:1::2/128 dev right nodad\n"
       "addr add 10.9.9.9/32 dev lo\n");

    const std::vector<std::string> expected{"10.9.9.9",     "127.0.0.1",    "192.0.2.1",
                                            "198.51.100.1", "198.51.100.1", "2001:db8:1::1",
                                            "2001:db8::1",  "203.0.113.1",  "::1"};
    const NodeNetwork network = read_node_network();
    CHECK(addresses(network) == expected);
    const auto found =
        std::ranges::find(network.addresses, Address::parse("192.0.2.1").value(), &LocalAddress::address);
    REQUIRE(found != network.addresses.end());
    CHECK(found->ifindex == device(network, "left").ifindex);
    CHECK(found->on_link);
    CHECK(found->permanent);
    ip("addr replace 192.0.2.1/24 dev left valid_lft 1000 preferred_lft 1000\n");  // as DHCP gives it
    for (const LocalAddress& local : read_node_network().addresses)
        if (local.address == Address::parse("192.0.2.1"))
            CHECK_FALSE(local.permanent);
}

TEST_CASE("a device stands in a network where it has a global address with a prefix")
{
    const PrivateNetns netns;
    ip("link add gate type veth peer name pod\n"
       "link add v4 type veth peer name v6\n"
       "link add local type veth peer name single\n"
       "link set local up\n"
       "link set single up\n"
       "addr add 10.0.0.1/32 dev gate\n"  // as the ptp plugin does
       "addr add 192.0.2.1/24 dev v4\n"
       "addr add 2001:db8::1/64 dev v6 nodad\n"
       "addr add 169.254.1.1/16 dev local scope link\n"
       "addr add 2001:db8:1::1/128 dev single nodad\n");
    const NodeNetwork network = read_node_network();

    CHECK_FALSE(device(network, "gate").on_link);
    CHECK_FALSE(device(network, "pod").on_link);
    CHECK(device(network, "v4").on_link);
    CHECK(device(network, "v6").on_link);
    CHECK_FALSE(device(network, "local").on_link);  // it also has an fe80:: address, with /64
    CHECK_FALSE(device(network, "single").on_link);
}

TEST_CASE("default routes of table main mark their devices, in both families")
{
    const PrivateNetns netns;
    ip("link add net0 type veth peer name net1\n"
       "link add net2 type veth peer name net3\n"
       "link add net4 type veth peer name net5\n"
       "link set net0 up\nlink set net1 up\nlink set net2 up\nlink set net3 up\nlink set net4 up\nlink set net5 up\n"
       "addr add 192.0.2.1/24 dev net0\n"
       "addr add 198.51.100.1/24 dev net4\n"
       "addr add 203.0.113.1/24 dev net5\n"
       "addr add 2001:db8::1/64 dev net1 nodad\n");

    SECTION("none")
    {
        for (const Device& each : read_node_network().devices)
            CHECK_FALSE(each.default_route);
    }
    SECTION("one for each family")
    {
        ip("route add default via 192.0.2.254\n"
           "route add ::/0 via 2001:db8::ff dev net1\n"
           "route add 10.0.0.0/8 dev net2\n");
        const NodeNetwork network = read_node_network();
        CHECK(device(network, "net0").default_route);
        CHECK(device(network, "net1").default_route);
        CHECK_FALSE(device(network, "net2").default_route);
    }
    SECTION("over several next hops, and a second one of another metric")
    {
        ip("route add default nexthop via 192.0.2.254 nexthop via 198.51.100.254\n"
           "route add default via 203.0.113.254 metric 500\n"
           "route add ::/0 nexthop via 2001:db8::fe dev net1 nexthop via fe80::1 dev net2\n");
        const NodeNetwork network = read_node_network();
        for (const char* name : {"net0", "net1", "net2", "net4", "net5"})
            CHECK(device(network, name).default_route);
        CHECK_FALSE(device(network, "net3").default_route);
    }
    SECTION("and name the address to speak from")
    {
        ip("addr add 10.9.9.9/32 dev lo\naddr add 2001:db8:9::9/128 dev lo nodad\nlink set lo up\n"
           "route add default via 192.0.2.254 src 10.9.9.9\n"
           "route add 10.0.0.0/8 via 192.0.2.254 src 192.0.2.1\n"
           "route add ::/0 via 2001:db8::ff dev net1 src 2001:db8:9::9\n");
        const NodeNetwork network = read_node_network();
        REQUIRE(network.default_sources.size() == 2);
        CHECK(network.default_sources[0].address.to_string() == "10.9.9.9");
        CHECK(network.default_sources[0].ifindex == device(network, "net0").ifindex);
        CHECK(network.default_sources[1].address.to_string() == "2001:db8:9::9");
        CHECK(network.default_sources[1].ifindex == device(network, "net1").ifindex);
    }
    SECTION("by a nexthop object")
    {
        ip("nexthop add id 7 via 192.0.2.254 dev net0\n"
           "route add default nhid 7\n");
        CHECK(device(read_node_network(), "net0").default_route);
    }
    SECTION("not those that lead nowhere, nor those of other tables")
    {
        ip("route add blackhole default metric 7\n"
           "route add unreachable ::/0 metric 7\n"
           "route add default via 192.0.2.254 table 100\n"
           "route add ::/0 via 2001:db8::ff dev net1 table 1000\n");
        for (const Device& each : read_node_network().devices)
            CHECK_FALSE(each.default_route);
    }
}

TEST_CASE("the default route is found beside thousands of others")
{
    const PrivateNetns netns;
    std::string lines = "link add net0 type veth peer name net1\n"
                        "link set net0 up\n"
                        "link set net1 up\n"
                        "addr add 192.0.2.1/24 dev net0\n";
    for (int route = 0; route < 4000; ++route)
        lines += "route add 10." + std::to_string(route / 256) + "." + std::to_string(route % 256) + ".0/24 dev net1\n";
    ip(lines + "route add default via 192.0.2.254 metric 9\n");

    const NodeNetwork network = read_node_network();
    CHECK(device(network, "net0").default_route);
    CHECK_FALSE(device(network, "net1").default_route);
}

TEST_CASE("a node of 250 pods is read completely")
{
    const PrivateNetns netns;
    std::string lines = "link add uplink type veth peer name outside\n"
                        "addr add 192.0.2.1/24 dev uplink\n"
                        "link set uplink up\n";
    for (int pod = 0; pod < 250; ++pod) {
        const std::string number = std::to_string(pod);
        lines += "link add host" + number + " type veth peer name pod" + number + "\n";
        lines += "addr add 10.0.0.1/32 dev host" + number + "\n";
        lines += "link set host" + number + " up\n";
        lines += "route add 10.0.1." + number + "/32 dev host" + number + "\n";
    }
    ip(lines + "route add default via 192.0.2.254\n");

    const NodeNetwork network = read_node_network();
    const auto is_host_side = [](const Device& each) {
        return each.name.starts_with("host") && each.link_header == LinkHeader::ethernet;
    };
    CHECK(std::ranges::count_if(network.devices, is_host_side) == 250);
    CHECK(std::ranges::count(network.devices, true, &Device::on_link) == 1);
    CHECK(device(network, "uplink").default_route);
    CHECK(addresses(network).size() == 251);

    // Pods come and go meanwhile, and interrupt the kernel's listing.
    const Child churn([] {
        if (::fork() != 0)
            return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (std::system("ip link add comes type veth peer name goes && ip link delete comes") >= 0) {
        }
        ::_exit(0);
    });
    for (int reading = 0; reading < 200; ++reading)
        REQUIRE(std::ranges::count_if(read_node_network().devices, is_host_side) == 250);
}

// ---- netns_id_of -------------------------------------------------------------------------------------------------

TEST_CASE("a namespace gets an id once and keeps it")
{
    const PrivateNetns node;
    const auto unshared = [] {
        if (::unshare(CLONE_NEWNET) != 0)
            ::_exit(1);
    };
    const Child first_pod(unshared);
    const Child second_pod(unshared);
    const Netns first = open_netns("/proc/" + std::to_string(first_pod.pid()) + "/ns/net");
    const Netns second = open_netns("/proc/" + std::to_string(second_pod.pid()) + "/ns/net");

    const std::uint32_t id = netns_id_of(first.fd.get());
    CHECK(netns_id_of(second.fd.get()) != id);
    CHECK(netns_id_of(first.fd.get()) == id);
}

TEST_CASE("an id that the kernel gave already is the one")
{
    const PrivateNetns node;
    const Child pod([] {
        if (::unshare(CLONE_NEWNET) != 0)
            ::_exit(1);
    });
    const std::string pid = std::to_string(pod.pid());
    const Netns netns = open_netns("/proc/" + pid + "/ns/net");
    // As a primary plugin does. It assigns an id; setting one ourselves afterwards would fail.
    ip("link add host type veth peer name eth0 netns " + pid + "\n");

    FILE* links = ::popen("ip -o link show dev host", "r");
    REQUIRE(links);
    char line[1024] = {};
    CHECK(std::fgets(line, sizeof line, links));
    ::pclose(links);
    CHECK_THAT(line, EndsWith("link-netnsid " + std::to_string(netns_id_of(netns.fd.get())) + "\n"));
}

TEST_CASE("our own namespace can have an id too")
{
    const PrivateNetns node;
    const Netns netns = open_netns("/proc/thread-self/ns/net");
    CHECK(netns_id_of(netns.fd.get()) == netns_id_of(netns.fd.get()));
}

TEST_CASE("what is no namespace has no id")
{
    const PrivateNetns node;
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const auto [code, text] = failure([&] { netns_id_of(null.get()); });
    CHECK(code == Code::node_lacks);
    CHECK_THAT(text, ContainsSubstring("Invalid argument"));
}

}  // namespace sallyport
