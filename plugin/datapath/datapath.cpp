// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/datapath.hpp"

#include "flow_tables.hpp"
#include "programs.hpp"
#include "socket_hooks.hpp"
#include "state.hpp"

#include "sallyport/error.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/log.hpp"
#include "sallyport/records.hpp"
#include "sallyport/wire.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

namespace sallyport {

namespace {

Address address_of(const abi::address_prefix& prefix)
{
    Address::Bytes bytes{};
    std::copy(std::begin(prefix.bytes), std::end(prefix.bytes), bytes.begin());
    return Address(bytes);
}

/// Of any table, also of another version's, whose keys may be larger.
bool has_entries(const UniqueFd& table)
{
    bpf_map_info info{};
    __u32 size = sizeof info;
    if (bpf_map_get_info_by_fd(table.get(), &info, &size) != 0)
        throw Error(Code::io_failure, "look at a pinned table: " + errno_text(errno));
    std::vector<std::byte> first(info.key_size);
    return bpf_map_get_next_key(table.get(), nullptr, first.data()) == 0;
}

}  // namespace

Datapath::Datapath(std::unique_ptr<State> state) : state_(std::move(state)) {}
Datapath::Datapath(Datapath&&) noexcept = default;
Datapath& Datapath::operator=(Datapath&&) noexcept = default;
Datapath::~Datapath() = default;

Datapath Datapath::open(const Paths& paths, const FlowCapacity& flows)
{
    const StateDir dir(paths.bpffs);
    dir.create();
    const bool all_gone = !open_pinned(dir.map("living"));
    const bool fresh = ensure_programs(dir, ProgramSet::node, flows);
    auto state = std::make_unique<State>(dir);
    if (all_gone)
        state->find_the_living();
    if (fresh)
        state->bindings.repair();                   // a table may have been lost
    state->pod_hooks.update(state->pods_at_start);  // outside devices are followed by follow_devices()
    return Datapath(std::move(state));
}

std::optional<Datapath> Datapath::find(const Paths& paths)
{
    const StateDir dir(paths.bpffs);
    if (!dir.is_complete())
        return std::nullopt;
    require_own_abi(paths);
    return Datapath(std::make_unique<State>(dir));
}

std::optional<Datapath> Datapath::find_tables(const Paths& paths)
{
    const StateDir dir(paths.bpffs);
    if (!dir.has_tables())
        return std::nullopt;
    require_own_abi(paths);
    return Datapath(std::make_unique<State>(dir));
}

bool Datapath::exists(const Paths& paths)
{
    return StateDir(paths.bpffs).exists();
}

bool Datapath::is_current(const Paths& paths)
{
    const StateDir dir(paths.bpffs);
    return dir.is_complete() && programs_are_current(dir);
}

void Datapath::require_bpffs(const Paths& paths)
{
    StateDir(paths.bpffs).require_bpffs();
}

bool Datapath::in_use(const Paths& paths)
{
    const StateDir dir(paths.bpffs);
    const UniqueFd pods = open_pinned(dir.map("pods"));
    if (pods && has_entries(pods))
        return true;
    const UniqueFd node_ports = open_pinned(dir.map("node_ports"));
    if (const auto abi = pinned_abi(paths); abi && *abi != SALLYPORT_ABI)
        return node_ports && has_entries(node_ports);  // and what they say is for another version to read
    return node_ports && any_waits(BpfTable<abi::endpoint, abi::node_port>(node_ports.get(), "node_ports"),
                                   std::chrono::steady_clock::now());
}

void Datapath::remove(const Paths& paths)
{
    const StateDir dir(paths.bpffs);
    NodeHooks(dir).leave_all();
    PodHooks(dir).forget_others({}, {});
    SocketHooks(dir).leave_all();
    dir.remove();
}

Bindings& Datapath::bindings()
{
    return state_->bindings;
}

const Bindings& Datapath::bindings() const
{
    return state_->bindings;
}

void Datapath::follow_addresses(const Answered& answered)
{
    std::map<Prefix, __u32> wanted;
    for (const Prefix& prefix : answered.configured)
        wanted.emplace(prefix, abi::ADDRESS_CONFIGURED);
    for (const Prefix& prefix : answered.excluded)
        wanted.emplace(prefix, abi::ADDRESS_EXCLUDED);
    for (const Address& address : answered.own)
        if (answered.contains(address))
            wanted.emplace(Prefix{address, 128}, abi::ADDRESS_OF_NODE);

    for (const auto& [key, origin] : state_->addresses.all()) {
        const auto found = wanted.find(Prefix{address_of(key), key.length});
        if (found == wanted.end())
            state_->addresses.erase(key);
        else if (found->second == origin)
            wanted.erase(found);
    }
    for (const auto& [prefix, origin] : wanted)
        state_->addresses.put(to_wire(prefix), origin);
}

void Datapath::follow_own_addresses(const std::vector<Address>& own)
{
    Answered answered = addresses();
    answered.own = own;
    follow_addresses(answered);
}

Answered Datapath::addresses() const
{
    std::map<Prefix, __u32> sorted;
    for (const auto& [key, origin] : state_->addresses.all())
        sorted.emplace(Prefix{address_of(key), key.length}, origin);
    Answered answered;
    for (const auto& [prefix, origin] : sorted)
        if (origin == abi::ADDRESS_OF_NODE)
            answered.own.push_back(prefix.address);
        else
            (origin == abi::ADDRESS_EXCLUDED ? answered.excluded : answered.configured).push_back(prefix);
    return answered;
}

void Datapath::follow_devices(const std::vector<Device>& devices)
{
    if (state_->node_hooks.follow(devices))
        state_->pod_hooks.update(state_->pods_at_start);  // the fast path's program is one of these
}

void Datapath::follow_cgroups(const std::filesystem::path& cgroup, bool local_access, bool reserve_ports)
{
    SocketHooks(state_->dir).follow(cgroup, {.local_access = local_access, .reserve_ports = reserve_ports});
}

bool Datapath::runs_at_cgroups(const std::filesystem::path& cgroup, bool local_access, bool reserve_ports) const
{
    return SocketHooks(state_->dir).run(cgroup, {.local_access = local_access, .reserve_ports = reserve_ports});
}

std::vector<std::string> Datapath::devices() const
{
    return state_->node_hooks.devices();
}

std::vector<std::string> Datapath::missing_hooks(const std::vector<Device>& devices) const
{
    return state_->node_hooks.missing(devices);
}

std::vector<std::string> Datapath::missing_hooks() const
{
    return state_->node_hooks.missing();
}

void Datapath::attach_pod(const Netns& netns, const AttachmentId& id)
{
    const std::uint64_t next = state_->bindings.next_generation();
    state_->pod_hooks.hand_on(PodHooks::End::pod, state_->generation_of(id), next);
    state_->pod_hooks.attach(netns, id.ifname, next);
}

void Datapath::attach_uplink(const Device& host_end, const AttachmentId& id)
{
    const std::uint64_t next = state_->bindings.next_generation();
    state_->pod_hooks.hand_on(PodHooks::End::host, state_->generation_of(id), next);
    state_->pod_hooks.attach_uplink(host_end, next);
}

std::vector<std::string> Datapath::missing_pod_hooks(const Netns& netns, const AttachmentId& id) const
{
    return state_->pod_hooks.missing(netns, id.ifname, state_->generation_of(id));
}

std::vector<std::string> Datapath::missing_uplink(const Device& host_end, const AttachmentId& id) const
{
    return state_->pod_hooks.missing_uplink(host_end, state_->generation_of(id));
}

void Datapath::forget_unbound_pod_hooks()
{
    if (!state_->pod_hooks.any())
        return;
    std::set<std::uint64_t> bound;
    for (const BoundPod& pod : state_->bindings.pods())
        bound.insert(pod.generation);
    state_->pod_hooks.forget_others(bound, state_->pods_at_start);
}

Traffic Datapath::traffic(const NodePort& node_port) const
{
    Traffic sum;
    for (const abi::traffic& cpu : state_->traffic.find(to_wire(node_port)).value_or(std::vector<abi::traffic>{})) {
        sum.connections += cpu.connections;
        sum.handovers += cpu.handovers;
        sum.held += cpu.held;
        sum.packets_from_client += cpu.packets[abi::FROM_CLIENT];
        sum.packets_from_pod += cpu.packets[abi::FROM_POD];
        sum.bytes_from_client += cpu.bytes[abi::FROM_CLIENT];
        sum.bytes_from_pod += cpu.bytes[abi::FROM_POD];
    }
    return sum;
}

FlowCount Datapath::count_flows() const
{
    return sallyport::count_flows(state_->dir, state_->bindings.pods());
}

void Datapath::for_each_flow(const std::function<void(const Flow&)>& visit) const
{
    sallyport::for_each_flow(state_->dir, state_->bindings.pods(), visit);
}

std::vector<Event> Datapath::events_after(std::uint64_t number) const
{
    return EventLog(state_->dir).after(number);
}

void Datapath::note_rejection(const Paths& paths, const std::string& pod_namespace, const std::string& pod_name,
                              Code code) noexcept
{
    try {
        const auto datapath = find(paths);
        if (!datapath)
            return;
        const abi::event record = rejection_event(pod_namespace, pod_name, code);
        const Event event = event_from(record);
        const auto is_same = [&](const Event& other) {
            return other.kind == EventKind::reject && other.pod_namespace == event.pod_namespace &&
                   other.pod_name == event.pod_name && other.reason == event.reason;
        };
        if (std::ranges::none_of(datapath->events_after(0), is_same))
            EventLog(datapath->state_->dir).tell(record);
    } catch (const std::exception& error) {
        log_warning(std::string("note a rejection for `sallyport trace`: ") + error.what());
    }
}

std::map<std::string, std::uint64_t> no_drops()
{
    std::map<std::string, std::uint64_t> drops;
    for (__u32 reason = 0; reason < abi::DROP_REASONS; reason++)
        drops.emplace(name_of_drop(reason), 0);
    return drops;
}

std::map<std::string, std::uint64_t> Datapath::drops() const
{
    const UniqueFd fd = open_map(state_->dir, "drops");
    const PerCpuBpfTable<__u32, __u64> table(fd.get(), "drops", state_->cpus);

    std::map<std::string, std::uint64_t> drops = no_drops();
    for (__u32 reason = 0; reason < abi::DROP_REASONS; reason++)
        for (const __u64 cpu : table.find(reason).value_or(std::vector<__u64>{}))
            drops[std::string(name_of_drop(reason))] += cpu;
    return drops;
}

}  // namespace sallyport
