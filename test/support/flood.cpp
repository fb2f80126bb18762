// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/flood.hpp"

#include "sallyport/address.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace sallyport::test {
namespace {

constexpr std::uint32_t first_source = 0x64400000;  // 100.64.0.0/10 (RFC 6598)
constexpr std::uint32_t ports_per_source = 50000;
constexpr std::size_t batch = 512;

[[noreturn]] void fail(const char* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

struct Syn
{
    iphdr ip{};
    tcphdr tcp{};
};
static_assert(sizeof(Syn) == 40);

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

Syn make_syn(std::uint32_t number, in_addr_t destination, std::uint16_t port)
{
    Syn syn;
    syn.ip.version = 4;
    syn.ip.ihl = 5;
    syn.ip.tot_len = htons(sizeof(syn));
    syn.ip.ttl = 64;
    syn.ip.protocol = IPPROTO_TCP;
    syn.ip.saddr = htonl(first_source + number / ports_per_source);
    syn.ip.daddr = destination;
    syn.ip.check = folded(sum_words(&syn.ip, sizeof(syn.ip)));
    syn.tcp.source = htons(static_cast<std::uint16_t>(10000 + number % ports_per_source));
    syn.tcp.dest = htons(port);
    syn.tcp.seq = htonl(number);
    syn.tcp.doff = 5;
    syn.tcp.syn = 1;
    syn.tcp.window = 0xffff;
    syn.tcp.check = folded(sum_words(&syn.ip.saddr, 8) + htons(IPPROTO_TCP) + htons(sizeof(syn.tcp)) +
                           sum_words(&syn.tcp, sizeof(syn.tcp)));
    return syn;
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

}  // namespace

void flood(const Node& node, std::uint16_t port, std::uint32_t count)
{
    sockaddr_ll to = find_node(node);
    in_addr_t destination = 0;
    inet_pton(AF_INET, node_v4.c_str(), &destination);
    const UniqueFd socket = node.client.run([] { return UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    if (!socket)
        fail("open a packet socket");

    std::array<Syn, batch> syns;
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};
    for (std::size_t i = 0; i < batch; i++) {
        parts[i] = {&syns[i], sizeof(Syn)};
        messages[i].msg_hdr = {&to, sizeof(to), &parts[i], 1, nullptr, 0, 0};
    }
    for (std::uint32_t sent = 0; sent < count;) {
        const auto now = static_cast<unsigned>(std::min<std::size_t>(batch, count - sent));
        for (std::uint32_t i = 0; i < now; i++)
            syns[i] = make_syn(sent + i, destination, port);
        for (unsigned done = 0; done < now;) {
            const int result = sendmmsg(socket.get(), &messages[done], now - done, 0);
            if (result < 0 && errno != ENOBUFS && errno != EINTR)
                fail("send SYNs");
            done += result > 0 ? static_cast<unsigned>(result) : 0;
        }
        sent += now;
    }
}

}  // namespace sallyport::test
