// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Datagrams larger than the path: only their first fragment has ports.
#include "support/cilium.hpp"
#include "support/require_ok.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

using sallyport::UniqueFd;
using namespace sallyport::test;

namespace {

/// Sends every datagram back as it came.
class Echo
{
public:
    Echo(const Namespace& netns, const Target& listen)
        : socket_(bound_socket(netns, listen, SOCK_DGRAM)),
          thread_([this] { answer_all(); })
    {}
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;
    ~Echo()
    {
        stop_ = true;
        thread_.join();
    }

private:
    void answer_all() const
    {
        std::string buffer(65536, '\0');
        while (!stop_) {
            if (!wait_for(socket_.get(), POLLIN, std::chrono::milliseconds(20)))
                continue;
            SocketAddress from;
            const ssize_t size = recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, from.raw(), &from.size);
            if (size >= 0)
                sendto(socket_.get(), buffer.data(), static_cast<std::size_t>(size), 0, from.raw(), from.size);
        }
    }

    UniqueFd socket_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

struct DatagramGateway
{
    explicit DatagramGateway(Node& node, Cilium* cilium = nullptr) : pod(node, {.expose = "443:9443/udp"})
    {
        if (cilium)
            cilium->connect(pod, {{9443, IPPROTO_UDP}});
        require_ok(pod.add());
    }

    Pod pod;
    Echo echo{pod.netns, {"::", 9443}};
};

/// What comes back to this socket, by digest; "nothing" where nothing does.
std::string received(int socket)
{
    if (!wait_for(socket, POLLIN, patience))
        return "nothing";
    std::string buffer(65536, '\0');
    const ssize_t size = recv(socket, buffer.data(), buffer.size(), 0);
    buffer.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return std::to_string(buffer.size()) + ' ' + std::to_string(digest(buffer));
}

std::string sent(const std::string& data)
{
    return std::to_string(data.size()) + ' ' + std::to_string(digest(data));
}

std::string echoed(const Namespace& client, const Target& target, const std::string& data)
{
    const SocketAddress address(target);
    const UniqueFd socket = open_socket(client, address.storage.ss_family, SOCK_DGRAM);
    if (connect(socket.get(), address.raw(), address.size) != 0 || send(socket.get(), data.data(), data.size(), 0) < 0)
        return std::strerror(errno);
    return received(socket.get());
}

std::uint16_t internet_checksum(std::string data)
{
    data.resize(data.size() + data.size() % 2);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < data.size(); i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, data.data() + i, sizeof word);
        sum += word;
    }
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

template <typename Header>
std::string bytes_of(const Header& header)
{
    return {reinterpret_cast<const char*>(&header), sizeof header};
}

in_addr inet(const std::string& address)
{
    return reinterpret_cast<const sockaddr_in&>(SocketAddress({address, 0}).storage).sin_addr;
}

/// An IPv4 datagram from the client to the node's port 443, as fragments of 1,000 bytes.
std::vector<std::string> fragments_of(const std::string& data, std::uint16_t source_port, std::uint16_t id)
{
    udphdr udp{};
    udp.source = htons(source_port);
    udp.dest = htons(443);
    udp.len = htons(static_cast<std::uint16_t>(sizeof udp + data.size()));
    const std::uint16_t protocol = htons(IPPROTO_UDP);
    udp.check = internet_checksum(bytes_of(inet(client_v4)) + bytes_of(inet(node_v4)) + bytes_of(protocol) +
                                  bytes_of(udp.len) + bytes_of(udp) + data);
    const std::string payload = bytes_of(udp) + data;

    std::vector<std::string> fragments;
    for (std::size_t offset = 0; offset < payload.size(); offset += 1000) {
        const std::string part = payload.substr(offset, 1000);
        iphdr ip{};
        ip.version = 4;
        ip.ihl = 5;
        ip.tot_len = htons(static_cast<std::uint16_t>(sizeof ip + part.size()));
        ip.id = htons(id);
        const bool last = offset + part.size() == payload.size();
        ip.frag_off = htons(static_cast<std::uint16_t>(offset / 8 | (last ? 0 : IP_MF)));
        ip.ttl = 64;
        ip.protocol = IPPROTO_UDP;
        ip.saddr = inet(client_v4).s_addr;
        ip.daddr = inet(node_v4).s_addr;
        ip.check = internet_checksum(bytes_of(ip));
        fragments.push_back(bytes_of(ip) + part);
    }
    return fragments;
}

}  // namespace

TEST_CASE("datagrams of many fragments pass both ways", "[fragments]")
{
    Node node;
    node.set_offload(GENERATE(true, false));
    const std::optional<Cilium::Mode> mode =
        GENERATE(std::optional<Cilium::Mode>(), std::optional(Cilium::Mode::tcx), std::optional(Cilium::Mode::legacy));
    CAPTURE(mode.has_value());
    std::optional<Cilium> cilium;
    if (mode)
        cilium.emplace(node, *mode);
    const DatagramGateway gateway(node, cilium ? &*cilium : nullptr);
    for (const std::string& address : {node_v4, node_v6})
        for (const std::size_t size : {1473U, 3000U, 60000U, 1400U, 65000U}) {
            CAPTURE(address, size);
            const std::string data = pattern(size);
            CHECK(echoed(node.client, {address, 443}, data) == sent(data));
        }
    if (cilium)
        CHECK(cilium->drops("fragment unknown") == 0);
}

TEST_CASE("fragments may come in any order after the first", "[fragments]")
{
    Node node;
    const DatagramGateway gateway(node);
    const UniqueFd client = bound_socket(node.client, {client_v4, 40000}, SOCK_DGRAM);
    const UniqueFd raw =
        node.client.run([] { return UniqueFd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)); });
    REQUIRE(raw);
    const SocketAddress to({node_v4, 0});
    std::uint16_t id = 1;
    for (const std::vector<std::size_t>& order :
         {std::vector<std::size_t>{0, 1, 2, 3}, {0, 3, 2, 1}, {0, 2, 3, 1}, {0, 1, 1, 2, 3}}) {
        const std::string data = pattern(3500);
        const auto fragments = fragments_of(data, 40000, id++);
        REQUIRE(fragments.size() == 4);
        for (const std::size_t index : order)
            REQUIRE(sendto(raw.get(), fragments[index].data(), fragments[index].size(), 0, to.raw(), to.size) > 0);
        CHECK(received(client.get()) == sent(data));
    }
}

TEST_CASE("direct datagrams of many fragments to the pod stay as they are", "[fragments]")
{
    Node node;
    const DatagramGateway gateway(node);
    const std::string data = pattern(60000);
    for (const auto& [direct, exposed] : {std::pair(gateway.pod.v4, node_v4), std::pair(gateway.pod.v6, node_v6)}) {
        CHECK(echoed(node.client, {direct, 9443}, data) == sent(data));
        CHECK(echoed(node.client, {exposed, 443}, data) == sent(data));
        CHECK(echoed(node.client, {direct, 9443}, data) == sent(data));
    }
}
