// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The programs of node.bpf.c, loaded and attached to nothing, with tables of their own; and pods with real sockets,
// whom the programs ask. All in namespaces of the test process's own. Skips the test without root.
#pragma once

#include "../../plugin/datapath/bpf_table.hpp"
#include "loading.hpp"
#include "packet_builder.hpp"
#include "packet_case.hpp"
#include "sallyport/abi.h"
#include "support/netns.hpp"
#include "support/sockets.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

namespace sallyport::test {

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

class Programs
{
public:
    explicit Programs(const LoadOptions& options = {});

private:
    Skeleton<::node> object_;

public:
    BpfTable<abi::endpoint, abi::backend> backends;
    BpfTable<std::uint32_t, std::uint32_t> living;
    BpfTable<std::uint64_t, abi::pod_word> words;
    BpfTable<abi::endpoint, abi::node_port> node_ports;
    BpfTable<std::uint32_t, std::uint32_t> port_uses;
    BpfTable<abi::address_prefix, std::uint32_t> addresses;
    BpfTable<abi::flow_key, abi::flow> flows_new;
    BpfTable<abi::flow_key, abi::flow> flows_established;
    BpfTable<abi::flow_key, abi::flow> flows_answered;
    BpfTable<std::uint32_t, abi::guess_row> guesses;
    BpfTable<std::uint32_t, std::uint64_t> quic_ids;
    BpfTable<abi::endpoint, std::uint64_t> quic_clients;
    BpfTable<abi::flow_key, abi::flow_key> clashes;
    BpfTable<abi::flow_key, std::uint64_t> held;
    BpfTable<abi::flow_key, std::uint64_t> questions;
    BpfTable<abi::fragment_key, abi::fragment_ports> fragmented;

    /// `pods`: youngest first, each with the container port. Also counts what goes through, and knows the address.
    void expose(const Target& node_port, std::uint8_t protocol, const std::vector<const TestPod*>& pods,
                abi::share share = abi::SHARE_NEWEST, std::uint16_t container_port = 9080);

    /// Inside the pod, its `port` leads to the socket at `container_port`.
    void remap(const TestPod& pod, Kind kind, std::uint16_t port, std::uint16_t container_port = 9080);

    /// The pods behind the node port remap its container port: their socket is another.
    void listen_elsewhere(const Target& node_port, std::uint8_t protocol, std::uint16_t listener);

    /// Rewrites the entry of a node port, as the command would.
    void change(const Target& node_port, std::uint8_t protocol, const std::function<void(abi::node_port&)>& change);

    /// Where flows of that protocol are kept that took more than a first packet.
    BpfTable<abi::flow_key, abi::flow>& lasting(std::uint8_t protocol);
    const BpfTable<abi::flow_key, abi::flow>& lasting(std::uint8_t protocol) const;

    /// The one entry of a flow, in either tier.
    std::optional<abi::flow> flow(const abi::flow_key& key) const;
    void put_flow(const abi::flow_key& key, const std::function<void(abi::flow&)>& change);

    Outcome ingress(const Packet& packet) const { return run("node_ingress", packet); }
    Outcome egress(const Packet& packet) const { return run("node_egress", packet); }
    Outcome run(const char* program, const Packet& packet) const;
    Outcome run(const char* program, const Bytes& bytes) const;

    /// What the programs have noted of the pod at its port 9080.
    abi::backend backend(const TestPod& pod, Kind kind) const;

    /// Kubernetes' word about the pod, as the agent would tell it now.
    void say(const TestPod& pod, const std::function<void(abi::pod_word&)>& change);

    /// The program ask_listener's answer (enum listener_answer), for a backend that the pod holds there from now on.
    unsigned ask(const TestPod& pod, const Target& listener, std::uint8_t protocol);

    abi::traffic traffic(const Target& node_port, std::uint8_t protocol, abi::scope scope = abi::AT_NODE) const;
    std::uint64_t drops(abi::drop reason) const;

    /// All that are kept, oldest first.
    std::vector<abi::event> events() const;

    void clear_flows();

    const ::node& object() const { return *object_; }

private:
    void use_port(std::uint8_t protocol, std::uint16_t port, abi::port_use use);
    void count_traffic(const abi::endpoint& key);
};

/// Where clients find the node, and whence they come; one address for each family.
Target node_at(Kind kind, std::uint16_t port = 80);
Target client_at(Kind kind, std::uint16_t port = 40000);

/// `scope` where it is the key of a node port.
abi::endpoint endpoint_of(const Target& target, std::uint8_t protocol, abi::scope scope = abi::AT_NODE);
abi::flow_key flow_key_of(const Target& backend, const Target& client, std::uint8_t protocol);

/// From the client to the node; a SYN where it is TCP.
Packet request(Kind kind, std::uint16_t client_port = 40000);
/// From the pod to the client; a SYN-ACK where it is TCP, with the sequence number `server_isn`.
Packet reply(const TestPod& pod, Kind kind, std::uint16_t client_port = 40000);
inline constexpr std::uint32_t server_isn = 0xfffffffe;  // wraps around within a handshake

/// A key into `clashes` and `held`, or that of a flow which is shown as it is sent.
abi::flow_key tuple_of(const Packet& request);

Packet with_flags(Packet packet, unsigned flags, std::uint32_t acknowledgement = server_isn + 1);
Packet to(Packet packet, const Target& destination);
Packet from(Packet packet, const Target& source);

/// A failure says where the check was called.
using Where = std::source_location;
void check_translated(const Outcome& outcome, const Packet& expected, Where where = Where::current());
void check_bytes(const Outcome& outcome, const Bytes& expected, Where where = Where::current());
void check_untouched(const Outcome& outcome, const Packet& in, Where where = Where::current());
void check_endpoint(const abi::endpoint& found, const Target& expected, std::uint8_t protocol);

void check_dropped(const Outcome& outcome, Where where = Where::current());

/// As check_translated, where the source port that the packet leaves with is the program's choice; returns that.
std::uint16_t check_shown_otherwise(const Outcome& outcome, const Packet& in, const Target& destination,
                                    Where where = Where::current());

/// A whole connection setup (TCP), or a datagram and its answer (UDP), through the node port to the pod.
void open_flow(const Programs& programs, const TestPod& pod, Kind kind, std::uint16_t client_port = 40000);

/// One pod that listens, dual-stack and on TCP and UDP, behind port 80 of the node.
struct OneGateway
{
    explicit OneGateway(Kind kind, const LoadOptions& options = {});

    Programs programs;
    TestPod pod{7, "10.0.0.7", "fd00::7"};
    UniqueFd listener;
    Target node_port;
};

}  // namespace sallyport::test
