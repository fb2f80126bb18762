// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The programs of node.bpf.c, loaded and attached to nothing, with tables of their own; and pods with real sockets,
// whom the programs ask. All in namespaces of the test process's own. Skips the test without root.
#pragma once

#include "../../plugin/datapath/bpf_table.hpp"
#include "../../plugin/datapath/skeleton.hpp"
#include "packet_builder.hpp"
#include "packet_case.hpp"
#include "sallyport/abi.h"
#include "support/netns.hpp"
#include "support/sockets.hpp"

#include <node.skel.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sallyport::test {

inline constexpr int verdict_next = -1;
inline constexpr int verdict_drop = 2;

/// What a program made of a packet.
struct Outcome
{
    int verdict = 0;
    Bytes out;
};

/// A pod: its namespace, and what the tables know of it.
class TestPod
{
public:
    TestPod(std::uint64_t pod_id, const std::string& v4_address, const std::string& v6_address);

    Namespace netns;
    std::uint32_t netns_id;
    std::uint64_t id;  ///< the generation; may be changed, as for a pod that took over its predecessor's addresses
    std::string v4;
    std::string v6;

    Target at(Kind kind, std::uint16_t port = 9080) const { return {kind.v6 ? v6 : v4, port}; }

    /// A socket that takes connections or datagrams from anyone, at "any" of the kind's family.
    UniqueFd listen(Kind kind, std::uint16_t port = 9080) const;
};

struct FlowSizes
{
    unsigned fresh = 4096;
    unsigned established = 4096;
};

class Programs
{
public:
    explicit Programs(FlowSizes sizes = {});

private:
    Skeleton<::node> object_;

public:
    BpfTable<abi::endpoint, abi::backend> backends;
    BpfTable<abi::endpoint, abi::node_port> node_ports;
    BpfTable<std::uint32_t, std::uint32_t> port_uses;
    BpfTable<abi::address_prefix, std::uint32_t> addresses;
    BpfTable<abi::flow_key, abi::flow> flows_new;
    BpfTable<abi::flow_key, abi::flow> flows_established;

    /// `pods`: youngest first, each with the container port. Also counts what goes through, and knows the address.
    void expose(const Target& node_port, std::uint8_t protocol, const std::vector<const TestPod*>& pods,
                abi::share share = abi::SHARE_NEWEST, std::uint16_t container_port = 9080);

    Outcome ingress(const Packet& packet) const { return run("node_ingress", packet); }
    Outcome egress(const Packet& packet) const { return run("node_egress", packet); }
    Outcome run(const char* program, const Packet& packet) const;
    Outcome run(const char* program, const Bytes& bytes) const;

    /// The program ask_listener's answer.
    bool ask(const TestPod& pod, const Target& listener, std::uint8_t protocol) const;

    abi::traffic traffic(const Target& node_port, std::uint8_t protocol) const;
    std::uint64_t drops(abi::drop reason) const;

    void clear_flows();

private:
    void use_port(std::uint8_t protocol, std::uint16_t port, abi::port_use use);
    int program_fd(const char* program) const;
};

/// Where clients find the node, and whence they come; one address for each family.
Target node_at(Kind kind, std::uint16_t port = 80);
Target client_at(Kind kind, std::uint16_t port = 40000);

abi::endpoint endpoint_of(const Target& target, std::uint8_t protocol);
abi::flow_key flow_key_of(const Target& backend, const Target& client, std::uint8_t protocol);

/// From the client to the node; a SYN where it is TCP.
Packet request(Kind kind, std::uint16_t client_port = 40000);
/// From the pod to the client; a SYN-ACK where it is TCP, with the sequence number `server_isn`.
Packet reply(const TestPod& pod, Kind kind, std::uint16_t client_port = 40000);
inline constexpr std::uint32_t server_isn = 0xfffffffe;  // wraps around within a handshake

Packet with_flags(Packet packet, unsigned flags, std::uint32_t acknowledgement = server_isn + 1);
Packet to(Packet packet, const Target& destination);
Packet from(Packet packet, const Target& source);

void check_translated(const Outcome& outcome, const Packet& expected);
void check_untouched(const Outcome& outcome, const Bytes& in);
void check_untouched(const Outcome& outcome, const Packet& in);
void check_dropped(const Outcome& outcome);

/// A whole connection setup (TCP), or a datagram and its answer (UDP), through the node port to the pod.
void open_flow(const Programs& programs, const TestPod& pod, Kind kind, std::uint16_t client_port = 40000);

/// One pod that listens, dual-stack and on TCP and UDP, behind port 80 of the node.
struct OneGateway
{
    explicit OneGateway(Kind kind, FlowSizes sizes = {});

    Programs programs;
    TestPod pod{7, "10.0.0.7", "fd00::7"};
    UniqueFd listener;
    Target node_port;
};

}  // namespace sallyport::test
