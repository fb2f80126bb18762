// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/wide_network.hpp"

namespace sallyport::test {

WideNetwork::WideNetwork(Node& node, unsigned mtu)
    : middle("middle-of-" + node.host.name()),
      far("far-of-" + node.host.name())
{
    const std::string size = std::to_string(mtu);
    for (const Namespace* router : {&node.client, &middle}) {
        router->set_sysctl("net/ipv4/ip_forward", "1");
        router->set_sysctl("net/ipv6/conf/all/forwarding", "1");
    }
    node.client.ip("link add wide mtu " + size + " type veth peer name near mtu " + size + " netns " + middle.name() +
                   "\n"
                   "addr add 198.51.100.1/30 dev wide\n"
                   "addr add fd00:51::1/64 dev wide nodad\n"
                   "link set wide up\n"
                   "route add 203.0.113.0/24 via 198.51.100.2\n");
    middle.ip("link add wide type veth peer name eth0 netns " + far.name() +
              "\n"
              "addr add 198.51.100.2/30 dev near\n"
              "addr add fd00:51::2/64 dev near nodad\n"
              "addr add 203.0.113.1/24 dev wide\n"
              "addr add fd00:113::1/64 dev wide nodad\n"
              "link set near up\n"
              "link set wide up\n"
              "route add 0.0.0.0/0 via 198.51.100.1\n"
              "route add ::/0 via fd00:51::1\n");
    node.client.ip("route add fd00:113::/64 via fd00:51::2\n");
    far.ip("addr add " + far_v4 + "/24 dev eth0\n" + "addr add " + far_v6 +
           "/64 dev eth0 nodad\n"
           "link set eth0 up\n"
           "route add 0.0.0.0/0 via 203.0.113.1\n"
           "route add ::/0 via fd00:113::1\n");
    far.set_offload("eth0", node.offload());
}

}  // namespace sallyport::test
