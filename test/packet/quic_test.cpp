// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// QUIC behind a NAT that gives its client another port: the pod that knows the connection gets it.
#include "fixture.hpp"

#include <initializer_list>
#include <map>

using namespace sallyport;
using namespace sallyport::test;

namespace {

constexpr std::uint32_t version_1 = 0x00000001;
constexpr std::uint32_t version_2 = 0x6b3343cf;

Bytes joined(std::initializer_list<Bytes> parts)
{
    Bytes all;
    for (const Bytes& part : parts)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

/// An ID that nobody else has.
Bytes id_of(unsigned number, std::size_t size = 8)
{
    Bytes id(size, 0xa5);
    for (std::size_t i = 0; i < 4 && i < size; i++)
        id[size - 1 - i] = static_cast<std::uint8_t>(number >> (8 * i));
    return id;
}

/// RFC 9000, 17.2; what comes after the IDs is encrypted.
Bytes long_header(const Bytes& destination, const Bytes& source, std::uint32_t version = version_1)
{
    const auto byte = [](std::size_t value) { return static_cast<std::uint8_t>(value); };
    return joined({{0xc0, byte(version >> 24), byte(version >> 16), byte(version >> 8), byte(version)},
                   {byte(destination.size())},
                   destination,
                   {byte(source.size())},
                   source,
                   Bytes(60)});
}

Bytes short_header(const Bytes& destination)
{
    return joined({{0x41}, destination, Bytes(60)});
}

struct TwoPods
{
    explicit TwoPods(Kind kind, abi::share share = abi::SHARE_NEWEST) : kind(kind)
    {
        programs.expose(node_at(kind), kind.protocol, {&young, &old}, share);
        listeners.push_back(old.listen(kind));
    }

    void young_listens() { listeners.push_back(young.listen(kind)); }

    Packet from_client(const Bytes& payload, std::uint16_t port = 40000) const
    {
        Packet packet = request(kind, port);
        packet.payload = payload;
        return packet;
    }

    void send(const TestPod& pod, const Bytes& payload, std::uint16_t port = 40000) const
    {
        Packet packet = reply(pod, kind, port);
        packet.payload = payload;
        CHECK(programs.egress(packet).verdict == verdict_next);
    }

    /// The client begins with an ID of its own; the pod answers with the one that it shall use.
    void shake_hands(const TestPod& pod, const Bytes& id, std::uint16_t port = 40000,
                     std::uint32_t version = version_1) const
    {
        programs.ingress(from_client(long_header(id_of(0xdead0000U + port), id_of(1), version), port));
        send(pod, long_header(id_of(1), id, version), port);
        programs.ingress(from_client(long_header(id, id_of(1), version), port));
    }

    void check_goes_to(const TestPod& pod, const Packet& packet, Where where = Where::current()) const
    {
        check_translated(programs.ingress(packet), to(packet, pod.at(kind)), where);
    }

    Kind kind;
    Programs programs;
    TestPod young{9, "10.0.0.9", "fd00::9"};
    TestPod old{7, "10.0.0.7", "fd00::7"};
    std::vector<UniqueFd> listeners;
};

/// As another client behind the same NAT would send it, or the same one from another network.
Packet elsewhere(Packet packet)
{
    packet.source.address = packet.v6() ? "2001:db8:77::1" : "203.0.113.77";
    return packet;
}

}  // namespace

PACKET_CASE("node_ingress", "a QUIC connection keeps its pod when its client's address changes", over_udp)
{
    const std::size_t size = GENERATE(1U, 4U, 8U, 9U, 16U, 17U, 20U);
    const std::uint32_t version = GENERATE(version_1, version_2);
    TwoPods pods(kind);
    const Bytes id = id_of(7, size);
    pods.shake_hands(pods.old, id, 40000, version);
    pods.young_listens();
    INFO("an ID of " << size << " bytes");
    pods.check_goes_to(pods.old, pods.from_client(short_header(id)));
    pods.check_goes_to(pods.old, pods.from_client(short_header(id), 40001));
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(short_header(id), 40002)));
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(long_header(id, id_of(1), version), 40003)));
    // It goes on from there, both ways, and moves again.
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(short_header(id), 40002)));
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(short_header(id), 40004)));

    // Others are new.
    pods.check_goes_to(pods.young, elsewhere(pods.from_client(short_header(id_of(8, size)), 40005)));
    pods.check_goes_to(pods.young, elsewhere(pods.from_client(long_header(id_of(9), id_of(1), version), 40006)));
    CHECK(pods.programs.traffic(node_at(kind), kind.protocol).connections == 3);
}

PACKET_CASE("node_ingress", "QUIC with `spread`: each connection finds its own pod", over_udp)
{
    TwoPods pods(kind, abi::SHARE_SPREAD);
    pods.young_listens();
    std::map<std::uint16_t, const TestPod*> taken;
    for (std::uint16_t port = 40000; port < 40032; port++) {
        const Packet first = pods.from_client(long_header(id_of(0xdead0000U + port), id_of(1)), port);
        const bool by_young = pods.programs.ingress(first).out == to(first, pods.young.at(kind)).bytes();
        taken[port] = by_young ? &pods.young : &pods.old;
        pods.shake_hands(*taken[port], id_of(port), port);
    }
    for (const auto& [port, pod] : taken)
        pods.check_goes_to(
            *pod, elsewhere(pods.from_client(short_header(id_of(port)), static_cast<std::uint16_t>(port + 1000))));
}

PACKET_CASE("node_ingress", "an ID that a QUIC client takes up later is known as well, and the one before forgotten",
            over_udp)
{
    TwoPods pods(kind);
    pods.shake_hands(pods.old, id_of(1000));
    pods.young_listens();
    pods.check_goes_to(pods.old, pods.from_client(short_header(id_of(1001))));
    CHECK(pods.programs.quic_ids.all().size() == 1);
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(short_header(id_of(1001)), 40001)));
    pods.check_goes_to(pods.young, elsewhere(pods.from_client(short_header(id_of(1000)), 40002)));
}

PACKET_CASE("node_ingress", "where a QUIC client's ID isn't known, its address says where it was", over_udp)
{
    TwoPods pods(kind);
    pods.shake_hands(pods.old, id_of(1000));
    pods.young_listens();
    pods.check_goes_to(pods.old, pods.from_client(short_header(id_of(1001)), 40001));
    pods.check_goes_to(pods.young, elsewhere(pods.from_client(short_header(id_of(1001)), 40001)));
    pods.check_goes_to(pods.young, pods.from_client(long_header(id_of(1002), id_of(1)), 40002));  // it begins anew
}

PACKET_CASE("node_ingress", "QUIC IDs that no client has used aren't remembered", over_udp)
{
    const TwoPods pods(kind);
    for (unsigned i = 0; i < 100; i++) {
        const auto port = static_cast<std::uint16_t>(41000 + i);
        pods.programs.ingress(pods.from_client(long_header(id_of(i), id_of(1)), port));
        pods.send(pods.old, long_header(id_of(1), id_of(5000 + i)), port);
        pods.programs.ingress(pods.from_client(short_header(id_of(6000 + i)), port));    // made up
        pods.programs.ingress(pods.from_client(long_header(id_of(i), id_of(1)), port));  // its own
    }
    CHECK(pods.programs.quic_ids.all().empty());
    CHECK(pods.programs.quic_clients.all().empty());
}

PACKET_CASE("node_ingress", "who makes up QUIC IDs takes one place in the table", over_udp)
{
    TwoPods pods(kind);
    pods.shake_hands(pods.old, id_of(1));
    pods.shake_hands(pods.old, id_of(2), 41000);
    pods.young_listens();
    for (unsigned i = 0; i < 300; i++)
        pods.check_goes_to(pods.old, pods.from_client(short_header(id_of(1000 + i)), 41000));
    CHECK(pods.programs.quic_ids.all().size() == 2);
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(short_header(id_of(1)), 40001)));
}

PACKET_CASE("node_ingress", "a QUIC connection whose pod takes no datagrams any more goes elsewhere", over_udp)
{
    TwoPods pods(kind);
    pods.shake_hands(pods.old, id_of(1));
    pods.young_listens();
    abi::backend entry = pods.programs.backend(pods.old, kind);
    entry.refused_at = monotonic_now();
    pods.programs.backends.put(endpoint_of(pods.old.at(kind), kind.protocol), entry);
    pods.check_goes_to(pods.young, pods.from_client(short_header(id_of(1)), 40001));
}

PACKET_CASE("node_ingress", "a QUIC connection goes on with the last pod that ends, where new ones wait for the next",
            over_udp)
{
    TwoPods pods(kind);
    pods.programs.change(node_at(kind), kind.protocol,
                         [](abi::node_port& port) { port.backends[0].hold_ms = port.backends[1].hold_ms = 10'000; });
    pods.shake_hands(pods.old, id_of(1));
    for (const TestPod* pod : {&pods.old, &pods.young})
        pods.programs.say(*pod, [](abi::pod_word& word) {
            word.ending = 1;
            word.since = word.told_at;
        });
    check_dropped(pods.programs.ingress(elsewhere(pods.from_client(long_header(id_of(2), id_of(1)), 40001))));
    pods.check_goes_to(pods.old, elsewhere(pods.from_client(short_header(id_of(1)), 40002)));
}

PACKET_CASE("node_ingress", "datagrams that look like QUIC's are none where the pod never spoke it", over_udp)
{
    TwoPods pods(kind);
    const auto exchange = [&](const Bytes& there, const Bytes& back) {
        pods.programs.ingress(pods.from_client(there));
        pods.send(pods.old, back);
        pods.programs.ingress(pods.from_client(there));
    };
    exchange({0x40}, {0xc0});                                              // short
    exchange(short_header(id_of(1)), long_header(id_of(1), id_of(2), 0));  // version negotiation
    exchange(short_header(id_of(1)), long_header(id_of(1), id_of(2), 0x0a0a0a0a));
    exchange(short_header(id_of(1)), long_header(Bytes(21), id_of(2)));  // longer than an ID
    exchange(short_header(id_of(1)), long_header(id_of(1), Bytes(21)));
    exchange(short_header(id_of(1)), long_header(id_of(1), {}));  // a pod may do without
    pods.young_listens();
    pods.check_goes_to(pods.young, pods.from_client(short_header(id_of(1)), 40001));
    CHECK(pods.programs.quic_ids.all().empty());
}
