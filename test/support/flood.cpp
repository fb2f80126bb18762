// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/flood.hpp"

#include "sallyport/address.hpp"
#include "support/errors.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>

namespace sallyport::test {
namespace {

constexpr std::uint32_t first_source = 0x64400000;  // 100.64.0.0/10 (RFC 6598)
constexpr std::uint32_t ports_per_source = 50000;
constexpr std::size_t batch = 512;

struct Segment
{
    iphdr ip{};
    tcphdr tcp{};
};
static_assert(sizeof(Segment) == 40);

struct Datagram
{
    iphdr ip{};
    udphdr udp{};
    std::uint8_t payload[2]{'?', 0};  ///< the second byte is summed, and not sent
};
static_assert(offsetof(Datagram, payload) == 28);

std::uint32_t sum_words(const void* data, std::size_t size)
{
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at < size; at += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, static_cast<const char*>(data) + at, sizeof(word));
        sum += word;
    }
    return sum;
}

std::uint16_t folded(std::uint32_t sum)
{
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>(~sum);
}

in_addr_t address_of_node()
{
    return inet_addr(node_v4.c_str());
}

iphdr make_header(in_addr_t source, in_addr_t destination, std::uint8_t protocol, std::size_t size)
{
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.tot_len = htons(static_cast<std::uint16_t>(size));
    ip.ttl = 64;
    ip.protocol = protocol;
    ip.saddr = source;
    ip.daddr = destination;
    ip.check = folded(sum_words(&ip, sizeof(ip)));
    return ip;
}

in_addr_t source(std::uint32_t number)
{
    return htonl(first_source + number / ports_per_source);
}

std::uint16_t source_port(std::uint32_t number)
{
    return htons(static_cast<std::uint16_t>(10000 + number % ports_per_source));
}

Datagram make_datagram(std::uint32_t number, std::uint16_t port)
{
    constexpr std::uint16_t size = sizeof(udphdr) + 1;
    Datagram datagram;
    datagram.ip = make_header(source(number), address_of_node(), IPPROTO_UDP, sizeof(iphdr) + size);
    datagram.udp.source = source_port(number);
    datagram.udp.dest = htons(port);
    datagram.udp.len = htons(size);
    datagram.udp.check = folded(sum_words(&datagram.ip.saddr, 8) + htons(IPPROTO_UDP) + htons(size) +
                                sum_words(&datagram.udp, sizeof(datagram.udp) + sizeof(datagram.payload)));
    return datagram;
}

/// `from` in network byte order.
Segment make_segment(in_addr_t source, std::uint16_t from, std::uint16_t to, std::uint32_t sequence, bool syn)
{
    Segment segment;
    segment.ip = make_header(source, address_of_node(), IPPROTO_TCP, sizeof(segment));
    segment.tcp.source = from;
    segment.tcp.dest = htons(to);
    segment.tcp.seq = htonl(sequence);
    segment.tcp.doff = 5;
    segment.tcp.syn = syn;
    segment.tcp.rst = !syn;
    segment.tcp.window = 0xffff;
    segment.tcp.check = folded(sum_words(&segment.ip.saddr, 8) + htons(IPPROTO_TCP) + htons(sizeof(segment.tcp)) +
                               sum_words(&segment.tcp, sizeof(segment.tcp)));
    return segment;
}

/// The node's end of the client's cable.
sockaddr_ll find_node(const Node& node)
{
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(ETH_P_IP);
    to.sll_halen = ETH_ALEN;
    node.host.run([&] {
        const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ifreq request{};
        std::strcpy(request.ifr_name, "eth0");
        if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0)
            fail("ask for eth0's address");
        std::memcpy(to.sll_addr, request.ifr_hwaddr.sa_data, ETH_ALEN);
    });
    node.client.run([&] { to.sll_ifindex = static_cast<int>(if_nametoindex("eth0")); });
    return to;
}

/// Sends packets number 0 to `count` - 1, each the first `size` bytes of what `make` says.
template <typename Make>
void send_all_of(const Node& node, std::uint32_t count, std::size_t size, Make make)
{
    sockaddr_ll to = find_node(node);
    const UniqueFd socket = node.client.run([] { return UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    if (!socket)
        fail("open a packet socket");

    std::array<decltype(make(0U)), batch> packets;
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};
    for (std::size_t i = 0; i < batch; i++) {
        parts[i] = {&packets[i], size};
        messages[i].msg_hdr = {&to, sizeof(to), &parts[i], 1, nullptr, 0, 0};
    }
    for (std::uint32_t sent = 0; sent < count;) {
        const auto now = static_cast<unsigned>(std::min<std::size_t>(batch, count - sent));
        for (std::uint32_t i = 0; i < now; i++)
            packets[i] = make(sent + i);
        for (unsigned done = 0; done < now;) {
            const int result = sendmmsg(socket.get(), &messages[done], now - done, 0);
            if (result < 0 && errno != ENOBUFS && errno != EINTR)
                fail("send a flood");
            done += result > 0 ? static_cast<unsigned>(result) : 0;
        }
        sent += now;
    }
}

}  // namespace

void flood(const Node& node, std::uint16_t port, std::uint32_t count)
{
    send_all_of(node, count, sizeof(Segment), [=](std::uint32_t number) {
        return make_segment(source(number), source_port(number), port, number, true);
    });
}

void flood_datagrams(const Node& node, std::uint16_t port, std::uint32_t count)
{
    send_all_of(node, count, offsetof(Datagram, payload) + 1,
                [=](std::uint32_t number) { return make_datagram(number, port); });
}

void forge(const Node& node, std::uint16_t client_port, std::uint16_t port, Forged forged)
{
    send_all_of(node, 1, sizeof(Segment), [=](std::uint32_t) {
        return make_segment(inet_addr(client_v4.c_str()), htons(client_port), port, forged.sequence, forged.syn);
    });
}

}  // namespace sallyport::test
