// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Everything that we have in the kernel of this node: tables, programs, and hooks on devices. Nothing outside
// plugin/datapath sees libbpf.
#pragma once

#include "sallyport/answered.hpp"
#include "sallyport/bindings.hpp"
#include "sallyport/config.hpp"
#include "sallyport/events.hpp"
#include "sallyport/flow.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/os/netns.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sallyport {

/// Packets and bytes of one node port since its first pod came, summed over the CPUs.
struct Traffic
{
    std::uint64_t connections = 0;
    std::uint64_t handovers = 0;  ///< connections that went to another pod than the one before; not with Share::spread
    std::uint64_t held = 0;       ///< packets left unanswered, as nobody listened yet
    std::uint64_t packets_from_client = 0;
    std::uint64_t packets_from_pod = 0;
    std::uint64_t bytes_from_client = 0;  ///< from the IP header on
    std::uint64_t bytes_from_pod = 0;
};

/// How many of them there are, in each tier.
struct FlowCount
{
    std::uint64_t fresh = 0;
    std::uint64_t established = 0;  ///< over TCP
    std::uint64_t answered = 0;     ///< of datagrams
    /// By the pod's generation and the node port ("any" where the exposure says so), or the pod's own port where it is
    /// remapped; all tiers.
    std::map<std::pair<std::uint64_t, NodePort>, std::uint64_t> by_exposure;
};

/// Every reason for a drop, and no packet.
std::map<std::string, std::uint64_t> no_drops();

class Datapath
{
public:
    /// What is there, made where missing. The caller holds the lock. Throws Error(node_lacks) where this node can't.
    static Datapath open(const Paths& paths, const FlowCapacity& flows);

    /// What is there, as it is; nullopt where there is none, or only remains of one.
    static std::optional<Datapath> find(const Paths& paths);

    /// As find(), also where programs aren't pinned, or not all of this binary's: what is bound is told and removed
    /// without them, and an older build's run on.
    static std::optional<Datapath> find_tables(const Paths& paths);

    /// Is anything of ours there, whole or not?
    static bool exists(const Paths& paths);

    /// Are all tables there, and the programs those of this binary?
    static bool is_current(const Paths& paths);

    /// Throws Error(node_lacks) where no BPF file system is mounted, so that open() will.
    static void require_bpffs(const Paths& paths);

    /// Is any pod bound, or a node port vacant and waiting for one? Answers also where other tables were lost: the next
    /// ADD repairs them, and nobody may remove the rest.
    static bool in_use(const Paths& paths);

    /// Is one of the addresses a bound pod's, or was it its last? Asks nothing else, and nothing where nothing is
    /// bound. Throws Error where that can't be told.
    static bool knows_address(const Paths& paths, const std::vector<Address>& addresses);

    /// Does a pod that isn't ending serve behind that port, over that family, by tables and programs of another ABI
    /// than ours? False where they can't be asked. Throws Error where they can't be read.
    static bool is_served_by_another_version(const Paths& paths, std::uint16_t port, Protocol protocol, bool v4);

    /// Leaves all devices and unpins everything. The caller holds the lock and has made sure that nothing is in use.
    static void remove(const Paths& paths);

    Datapath(Datapath&&) noexcept;
    Datapath& operator=(Datapath&&) noexcept;
    ~Datapath();

    Bindings& bindings();
    const Bindings& bindings() const;

    /// Makes these, and no others, the addresses that we answer on.
    void follow_addresses(const Answered& answered);

    /// The same for the node's own alone: what the configuration adds and takes away stays as it was.
    void follow_own_addresses(const std::vector<Address>& own);

    /// As they are followed now. An own address that is excluded isn't among them.
    Answered addresses() const;

    /// Attaches to these devices and to no others, before everybody else's programs.
    void follow_devices(const std::vector<Device>& devices);
    std::vector<std::string> devices() const;

    /// Where our programs should run on these devices and don't, or not before all others; in words.
    std::vector<std::string> missing_hooks(const std::vector<Device>& devices) const;

    /// The same on the devices that we were attached to last and that still exist, whatever the configuration says, and
    /// by any build's programs. Something is missing too where we aren't attached anywhere.
    std::vector<std::string> missing_hooks() const;

    /// Attaches to the system calls of the processes below each child of this cgroup v2 directory, and of no others:
    /// with `local_access` node ports are reached from there, with `reserve_ports` the node's own processes can't bind
    /// them. Throws Error where the node can't have that; from outside, node ports work without.
    void follow_cgroups(const std::filesystem::path& cgroup, bool local_access, bool reserve_ports);

    /// Is all of that in place?
    bool runs_at_cgroups(const std::filesystem::path& cgroup, bool local_access, bool reserve_ports) const;

    /// For the binding that is made next: that pod is known to live as long as this device of its namespace does (its
    /// ifindex there). Throws Error.
    void follow_life(const Netns& netns, int device);

    /// Attaches the programs for remaps to a pod's own device, inside its namespace, for the binding that is made next:
    /// where it isn't made, forget_unbound_pod_hooks() takes them away. Throws Error(node_lacks).
    void attach_pod(const Netns& netns, const AttachmentId& id);

    /// Where ours, of any build, should run there and don't, or not before all others; in words.
    std::vector<std::string> missing_pod_hooks(const Netns& netns, const AttachmentId& id) const;

    /// Takes them off the devices of pods that aren't bound any more, or are so anew.
    void forget_unbound_pod_hooks();

    /// Attaches the program of the fast path to the host's end of a pod's device; for the binding that is made next, as
    /// attach_pod() does. Throws Error(node_lacks).
    void attach_uplink(const Device& host_end, const AttachmentId& id);

    /// As missing_pod_hooks().
    std::vector<std::string> missing_uplink(const Device& host_end, const AttachmentId& id) const;

    /// What is known of the pod there, after a look for its socket: the datapath's own, and noted as that would, so
    /// that a `settle` time begins when anybody first sees it. `netns_id` is the pod's.
    Seen look(const NodePortBackend& backend, std::uint32_t netns_id) const;

    Traffic traffic(const NodePort& node_port) const;

    /// Entries that translate, lead to a pod of today and aren't closed; in no order. One that changes its place
    /// meanwhile may be missed or seen twice.
    void for_each_flow(const std::function<void(const Flow&)>& visit) const;
    FlowCount count_flows() const;

    /// Those with a higher number than `number` that are still kept, oldest first.
    std::vector<Event> events_after(std::uint64_t number) const;

    /// An event: that pod was refused what it asks for. Once for a pod and a reason, as long as that is kept: its
    /// runtime tries again and again. Where there is nothing loaded, or it can't be noted, there is none.
    static void note_rejection(const Paths& paths, const std::string& pod_namespace, const std::string& pod_name,
                               Code code) noexcept;

    /// Packets dropped since the tables were made, by reason.
    std::map<std::string, std::uint64_t> drops() const;

private:
    struct State;
    explicit Datapath(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

/// Those of the devices whose ingress runs Cilium's program for outside devices.
std::vector<Device> devices_of_cilium(const std::vector<Device>& devices);

/// Those of the devices where any program of Cilium's runs, for outside devices or for pods'.
std::vector<Device> guarded_by_cilium(const std::vector<Device>& devices);

/// Has the kernel tcx links (6.6)?
bool kernel_has_tcx();

}  // namespace sallyport
