// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include "sallyport/os/netlink.hpp"
#include "sallyport/wire.hpp"

#include <arpa/inet.h>
#include <probe.skel.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace sallyport::test {

namespace {

[[noreturn]] void fail(const std::string& what, int error = errno)
{
    throw std::system_error(error, std::generic_category(), what);
}

/// The network namespace is "the node"; /run is where namespaces of pods are kept.
void enter_private_namespaces()
{
    if (geteuid() != 0)
        SKIP("the packet tests need root");
    static bool done = false;
    if (std::exchange(done, true))
        return;
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
        fail("unshare");
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
        fail("mount /run");
    mount("sysfs", "/sys", "sysfs", 0, nullptr);
    std::filesystem::create_directories("/run/netns");
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list arguments) {
        return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
    });
}

bool kernel_csum_knows_ipv6()
{
    const auto probe = open_skeleton<::probe>();
    if (!probe || ::probe::load(probe.get()) != 0)
        fail("load the probe");
    char packet[64] = {};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
    return bpf_prog_test_run_opts(bpf_program__fd(probe->progs.probe_csum_ipv6), &options) == 0 && options.retval == 1;
}

/// As the command loads it, but pinned nowhere.
Skeleton<::node> load(const FlowSizes& sizes)
{
    enter_private_namespaces();
    auto object = open_skeleton<::node>();
    if (!object)
        fail("open the object");
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object->obj) bpf_map__set_pin_path(map, nullptr);
    object->rodata->csum_knows_ipv6 = kernel_csum_knows_ipv6();
    object->rodata->have_coarse_clock =
        libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_coarse_ns, nullptr) == 1;
    bpf_map__set_max_entries(object->maps.flows_new, sizes.fresh);
    bpf_map__set_max_entries(object->maps.flows_established, sizes.established);
    if (::node::load(object.get()) != 0)
        fail("load the object");
    return object;
}

abi::address wire_address(const std::string& text)
{
    return to_wire(Address::parse(text).value());
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
    std::string batch;
    for (const std::string& address :
         {v4 + "/32", client_at({false}).address + "/32", v6 + "/128", client_at({true}).address + "/128"})
        batch += "addr add " + address + " dev lo\n";
    netns.ip(batch);
}

UniqueFd TestPod::listen(Kind kind, std::uint16_t port) const
{
    return bound_socket(netns, {kind.v6 ? "::" : "0.0.0.0", port}, kind.tcp() ? SOCK_STREAM : SOCK_DGRAM);
}

Programs::Programs(FlowSizes sizes)
    : object_(load(sizes)),
      backends(bpf_map__fd(object_->maps.backends), "backends"),
      node_ports(bpf_map__fd(object_->maps.node_ports), "node_ports"),
      port_uses(bpf_map__fd(object_->maps.port_uses), "port_uses"),
      addresses(bpf_map__fd(object_->maps.addresses), "addresses"),
      flows_new(bpf_map__fd(object_->maps.flows_new), "flows_new"),
      flows_established(bpf_map__fd(object_->maps.flows_established), "flows_established")
{}

void Programs::expose(const Target& node_port, std::uint8_t protocol, const std::vector<const TestPod*>& pods,
                      abi::share share, std::uint16_t container_port)
{
    abi::node_port port{};

    for (const TestPod* pod : pods) {
        const bool v6 = node_port.address.find(':') != std::string::npos;
        const Target target = pod->at({v6, protocol}, container_port);
        backends.put(endpoint_of(target, protocol), {pod->id, 0, pod->netns_id, htons(target.port), 0});
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
    const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
    const abi::endpoint key = endpoint_of(node_port, protocol);
    PerCpuBpfTable<abi::endpoint, abi::traffic>(bpf_map__fd(object_->maps.traffic), "traffic", cpus).put(key, {});
    node_ports.put(key, port);
    if (!address.is_any())
        addresses.put(to_wire(*Prefix::parse(node_port.address)), abi::ADDRESS_OF_NODE);
}

void Programs::use_port(std::uint8_t protocol, std::uint16_t port, abi::port_use use)
{
    const std::uint32_t index = abi::port_use_index(protocol, port);
    port_uses.put(index, port_uses.find(index).value_or(0) | use);
}

int Programs::program_fd(const char* program) const
{
    const bpf_program* found = bpf_object__find_program_by_name(object_->obj, program);
    return found ? bpf_program__fd(found) : -1;
}

Outcome Programs::run(const char* program, const Packet& packet) const
{
    tried().insert({program, {packet.v6(), packet.protocol}});
    return run(program, packet.bytes());
}

Outcome Programs::run(const char* program, const Bytes& bytes) const
{
    Outcome outcome{0, Bytes(bytes.size() + 256)};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes.data(), .data_out = outcome.out.data(),
                .data_size_in = static_cast<__u32>(bytes.size()),
                .data_size_out = static_cast<__u32>(outcome.out.size()));
    if (const int error = bpf_prog_test_run_opts(program_fd(program), &options); error != 0)
        fail("run " + std::string(program) + " on " + std::to_string(bytes.size()) + " bytes", -error);
    outcome.verdict = static_cast<int>(options.retval);
    outcome.out.resize(options.data_size_out);
    return outcome;
}

bool Programs::ask(const TestPod& pod, const Target& listener, std::uint8_t protocol) const
{
    const bool v6 = listener.address.find(':') != std::string::npos;
    tried().insert({"ask_listener", {v6, protocol}});
    abi::listener_question question{};
    question.backend = endpoint_of(listener, protocol);
    question.netns = pod.netns_id;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&question);
    return run("ask_listener", Bytes(bytes, bytes + sizeof question)).verdict == 1;
}

abi::traffic Programs::traffic(const Target& node_port, std::uint8_t protocol) const
{
    const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
    const PerCpuBpfTable<abi::endpoint, abi::traffic> table(bpf_map__fd(object_->maps.traffic), "traffic", cpus);
    abi::traffic sum{};
    const std::vector<abi::traffic> of_cpus = table.find(endpoint_of(node_port, protocol)).value();
    for (const abi::traffic& one : of_cpus) {
        sum.connections += one.connections;
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

void Programs::clear_flows()
{
    for (auto* table : {&flows_new, &flows_established})
        for (const auto& [key, flow] : table->all())
            table->erase(key);
}

abi::endpoint endpoint_of(const Target& target, std::uint8_t protocol)
{
    return {wire_address(target.address), htons(target.port), protocol, {}};
}

abi::flow_key flow_key_of(const Target& backend, const Target& client, std::uint8_t protocol)
{
    return {wire_address(backend.address),
            wire_address(client.address),
            htons(backend.port),
            htons(client.port),
            protocol,
            {}};
}

}  // namespace sallyport::test
