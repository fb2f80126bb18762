// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include "sallyport/os/netlink.hpp"
#include "sallyport/wire.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace sallyport::test {

namespace {

abi::address wire_address(const std::string& text)
{
    return to_wire(Address::parse(text).value());
}

abi::backend backend_entry(std::uint64_t pod, std::uint32_t netns, std::uint16_t listener)
{
    abi::backend entry{};
    entry.pod = pod;
    entry.netns = netns;
    entry.listener = listener;
    return entry;
}

}  // namespace

TestPod::TestPod(std::uint64_t pod_id, const std::string& v4_address, const std::string& v6_address)
    : netns("pod-" + v4_address),
      netns_id(netns_id_of(netns.fd())),
      id(pod_id),
      v4(v4_address),
      v6(v6_address)
{
    // The clients' addresses as well: tests open real connections inside.
    const std::string client_v6 = client_at({true}).address;
    std::string batch;
    for (const std::string& address : {v4 + "/32", client_at({false}).address + "/32", v6 + "/128", client_v6 + "/128"})
        batch += "addr add " + address + " dev lo\n";
    netns.ip(batch);
    for (const std::string& address : {v6, client_v6})
        wait_for_address(netns, address);
}

UniqueFd TestPod::listen(Kind kind, std::uint16_t port) const
{
    return bound_socket(netns, {kind.v6 ? "::" : "0.0.0.0", port}, kind.tcp() ? SOCK_STREAM : SOCK_DGRAM);
}

/// With this as its own device, a pod lives as long as the test: the node's namespace does.
constexpr std::uint32_t loopback = 1;

Programs::Programs(const LoadOptions& options)
    : object_(load_node(options)),
      backends(bpf_map__fd(object_->maps.backends), "backends"),
      living(bpf_map__fd(object_->maps.living), "living"),
      words(bpf_map__fd(object_->maps.words), "words"),
      node_ports(bpf_map__fd(object_->maps.node_ports), "node_ports"),
      port_uses(bpf_map__fd(object_->maps.port_uses), "port_uses"),
      addresses(bpf_map__fd(object_->maps.addresses), "addresses"),
      flows_new(bpf_map__fd(object_->maps.flows_new), "flows_new"),
      flows_established(bpf_map__fd(object_->maps.flows_established), "flows_established"),
      flows_answered(bpf_map__fd(object_->maps.flows_answered), "flows_answered"),
      guesses(bpf_map__fd(object_->maps.guesses), "guesses"),
      quic_ids(bpf_map__fd(object_->maps.quic_ids), "quic_ids"),
      quic_clients(bpf_map__fd(object_->maps.quic_clients), "quic_clients"),
      clashes(bpf_map__fd(object_->maps.clashes), "clashes"),
      held(bpf_map__fd(object_->maps.held), "held"),
      questions(bpf_map__fd(object_->maps.questions), "questions"),
      fragmented(bpf_map__fd(object_->maps.fragmented), "fragmented")
{}

void Programs::expose(const Target& node_port, std::uint8_t protocol, const std::vector<const TestPod*>& pods,
                      abi::share share, std::uint16_t container_port)
{
    abi::node_port port{};

    for (const TestPod* pod : pods) {
        const bool v6 = node_port.address.find(':') != std::string::npos;
        const Target target = pod->at({v6, protocol}, container_port);
        living.put(abi::living_key(pod->id), loopback);
        backends.put(endpoint_of(target, protocol), backend_entry(pod->id, pod->netns_id, htons(target.port)));
        abi::node_port_backend& place = port.backends[port.count++];
        place.address = wire_address(target.address);
        place.pod = pod->id;
        place.netns = pod->netns_id;
        place.port = place.listener = htons(target.port);
        place.share = static_cast<__u8>(share);
    }
    use_port(protocol, container_port, abi::PORT_OF_BACKEND);
    const Address address = *Address::parse(node_port.address);
    use_port(protocol, node_port.port,
             address.is_any() ? (address.is_v4() ? abi::PORT_ANY_V4 : abi::PORT_ANY_V6)
                              : (address.is_v4() ? abi::PORT_EXACT_V4 : abi::PORT_EXACT_V6));
    const abi::endpoint key = endpoint_of(node_port, protocol);
    count_traffic(key);
    node_ports.put(key, port);
    if (!address.is_any())
        addresses.put(to_wire(*Prefix::parse(node_port.address)), abi::ADDRESS_OF_NODE);
}

void Programs::use_port(std::uint8_t protocol, std::uint16_t port, abi::port_use use)
{
    const std::uint32_t index = abi::port_use_index(protocol, port);
    port_uses.put(index, port_uses.find(index).value_or(0) | use);
}

void Programs::count_traffic(const abi::endpoint& key)
{
    const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
    PerCpuBpfTable<abi::endpoint, abi::traffic>(bpf_map__fd(object_->maps.traffic), "traffic", cpus).put(key, {});
}

void Programs::remap(const TestPod& pod, Kind kind, std::uint16_t port, std::uint16_t container_port)
{
    const Target listener = pod.at(kind, container_port);
    abi::node_port entry{};
    entry.count = 1;
    entry.backends[0].address = wire_address(listener.address);
    entry.backends[0].pod = pod.id;
    entry.backends[0].netns = static_cast<__u32>(BPF_F_CURRENT_NETNS);
    entry.backends[0].port = entry.backends[0].listener = htons(container_port);
    living.put(abi::living_key(pod.id), loopback);
    backends.put(endpoint_of(listener, kind.protocol), backend_entry(pod.id, pod.netns_id, htons(container_port)));
    use_port(kind.protocol, container_port, abi::PORT_OF_BACKEND);
    use_port(kind.protocol, port, abi::PORT_REMAPPED);
    const abi::endpoint key = endpoint_of(pod.at(kind, port), kind.protocol, abi::AT_POD);
    count_traffic(key);
    node_ports.put(key, entry);
}

void Programs::listen_elsewhere(const Target& node_port, std::uint8_t protocol, std::uint16_t listener)
{
    change(node_port, protocol, [&](abi::node_port& port) {
        for (std::uint32_t i = 0; i < port.count; i++) {
            abi::node_port_backend& place = port.backends[i];
            place.listener = htons(listener);
            backends.put({place.address, place.port, protocol, 0, {}},
                         backend_entry(place.pod, place.netns, place.listener));
        }
    });
}

void Programs::change(const Target& node_port, std::uint8_t protocol,
                      const std::function<void(abi::node_port&)>& change)
{
    const abi::endpoint key = endpoint_of(node_port, protocol);
    abi::node_port entry = node_ports.find(key).value();
    change(entry);
    node_ports.put(key, entry);
}

std::optional<abi::flow> Programs::flow(const abi::flow_key& key) const
{
    const auto lasting_one = lasting(key.protocol).find(key);
    return lasting_one ? lasting_one : flows_new.find(key);
}

BpfTable<abi::flow_key, abi::flow>& Programs::lasting(std::uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? flows_answered : flows_established;
}

const BpfTable<abi::flow_key, abi::flow>& Programs::lasting(std::uint8_t protocol) const
{
    return protocol == IPPROTO_UDP ? flows_answered : flows_established;
}

void Programs::put_flow(const abi::flow_key& key, const std::function<void(abi::flow&)>& change)
{
    abi::flow entry = flow(key).value();
    change(entry);
    (lasting(key.protocol).find(key) ? lasting(key.protocol) : flows_new).put(key, entry);
}

Outcome Programs::run(const char* program, const Packet& packet) const
{
    tried().insert({program, {packet.v6(), packet.protocol}});
    return run(program, packet.bytes());
}

Outcome Programs::run(const char* program, const Bytes& bytes) const
{
    const bpf_program* found = bpf_object__find_program_by_name(object_->obj, program);
    return test_run(found ? bpf_program__fd(found) : -1, program, bytes);
}

unsigned Programs::ask(const TestPod& pod, const Target& listener, std::uint8_t protocol)
{
    const bool v6 = listener.address.find(':') != std::string::npos;
    tried().insert({"ask_listener", {v6, protocol}});
    abi::listener_question question{};
    question.netns = pod.netns_id;
    question.listener = htons(listener.port);
    question.pod = pod.id;
    question.backend = endpoint_of(listener, protocol);
    if (const auto known = backends.find(question.backend); !known || known->pod != pod.id) {
        living.put(abi::living_key(pod.id), loopback);
        backends.put(question.backend, backend_entry(pod.id, pod.netns_id, question.listener));
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&question);
    return static_cast<unsigned>(run("ask_listener", Bytes(bytes, bytes + sizeof question)).verdict);
}

abi::backend Programs::backend(const TestPod& pod, Kind kind) const
{
    return backends.find(endpoint_of(pod.at(kind), kind.protocol)).value();
}

void Programs::say(const TestPod& pod, const std::function<void(abi::pod_word&)>& change)
{
    abi::pod_word word{};
    word.told_at = monotonic_now();
    change(word);
    words.put(pod.id, word);
}

abi::traffic Programs::traffic(const Target& node_port, std::uint8_t protocol, abi::scope scope) const
{
    const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
    const PerCpuBpfTable<abi::endpoint, abi::traffic> table(bpf_map__fd(object_->maps.traffic), "traffic", cpus);
    abi::traffic sum{};
    const std::vector<abi::traffic> of_cpus = table.find(endpoint_of(node_port, protocol, scope)).value();
    for (const abi::traffic& one : of_cpus) {
        sum.connections += one.connections;
        sum.handovers += one.handovers;
        sum.held += one.held;
        for (const int direction : {abi::FROM_CLIENT, abi::FROM_POD}) {
            sum.packets[direction] += one.packets[direction];
            sum.bytes[direction] += one.bytes[direction];
        }
    }
    return sum;
}

std::uint64_t Programs::drops(abi::drop reason) const
{
    const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
    const PerCpuBpfTable<std::uint32_t, std::uint64_t> table(bpf_map__fd(object_->maps.drops), "drops", cpus);
    std::uint64_t sum = 0;
    const std::vector<std::uint64_t> of_cpus = table.find(reason).value();
    for (const std::uint64_t one : of_cpus)
        sum += one;
    return sum;
}

std::vector<abi::event> Programs::events() const
{
    std::vector<abi::event> events;
    BpfTable<std::uint32_t, abi::event>(bpf_map__fd(object_->maps.events), "events")
        .for_each([&](std::uint32_t, const abi::event& event) {
            if (event.number != 0)
                events.push_back(event);
        });
    std::sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    return events;
}

void Programs::clear_flows()
{
    for (auto* table : {&flows_new, &flows_established, &flows_answered})
        for (const auto& [key, flow] : table->all())
            table->erase(key);
}

abi::endpoint endpoint_of(const Target& target, std::uint8_t protocol, abi::scope scope)
{
    return {wire_address(target.address), htons(target.port), protocol, static_cast<__u8>(scope), {}};
}

abi::flow_key flow_key_of(const Target& backend, const Target& client, std::uint8_t protocol)
{
    return {wire_address(backend.address),
            wire_address(client.address),
            htons(backend.port),
            htons(client.port),
            protocol,
            0,
            {}};
}

abi::flow_key tuple_of(const Packet& request)
{
    return flow_key_of(request.destination, request.source, request.protocol);
}

}  // namespace sallyport::test
