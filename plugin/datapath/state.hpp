// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a Datapath holds: its tables, open, and who puts programs where.
#pragma once

#include "bpf_table.hpp"
#include "event_log.hpp"
#include "node_hooks.hpp"
#include "pod_hooks.hpp"
#include "state_dir.hpp"

#include "sallyport/datapath.hpp"
#include "sallyport/wire.hpp"

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace sallyport {

struct Datapath::State
{
    explicit State(StateDir state_dir) : dir(std::move(state_dir)), node_hooks(dir), pod_hooks(dir) {}

    StateDir dir;
    NodeHooks node_hooks;
    PodHooks pod_hooks;
    std::size_t cpus = possible_cpus();

    UniqueFd meta_fd = open_map(dir, "meta");
    UniqueFd pods_fd = open_map(dir, "pods");
    UniqueFd pod_exposures_fd = open_map(dir, "pod_exposures");
    UniqueFd pod_addresses_fd = open_map(dir, "pod_addresses");
    UniqueFd living_fd = open_map(dir, "living");
    UniqueFd backends_fd = open_map(dir, "backends");
    UniqueFd words_fd = open_map(dir, "words");
    UniqueFd node_ports_fd = open_map(dir, "node_ports");
    UniqueFd port_uses_fd = open_map(dir, "port_uses");
    UniqueFd traffic_fd = open_map(dir, "traffic");
    UniqueFd addresses_fd = open_map(dir, "addresses");

    UniqueFd ask_listener;  ///< the program; opened when it is first asked

    BpfTable<__u32, abi::meta> meta{meta_fd.get(), "meta"};
    BpfTable<abi::pod_key, abi::pod> pods{pods_fd.get(), "pods"};
    BpfTable<abi::pod_exposure_key, abi::pod_exposure> pod_exposures{pod_exposures_fd.get(), "pod_exposures"};
    BpfTable<abi::address, __u64> pod_addresses{pod_addresses_fd.get(), "pod_addresses"};
    BpfTable<__u32, __u32> living{living_fd.get(), "living"};
    BpfTable<abi::endpoint, abi::backend> backends{backends_fd.get(), "backends"};
    BpfTable<__u64, abi::pod_word> words{words_fd.get(), "words"};
    BpfTable<abi::endpoint, abi::node_port> node_ports{node_ports_fd.get(), "node_ports"};
    BpfTable<__u32, __u32> port_uses{port_uses_fd.get(), "port_uses"};
    PerCpuBpfTable<abi::endpoint, abi::traffic> traffic{traffic_fd.get(), "traffic", cpus};
    BpfTable<abi::address_prefix, __u32> addresses{addresses_fd.get(), "addresses"};

    Bindings bindings{
        {meta, pods, pod_exposures, pod_addresses, living, backends, words, node_ports, port_uses, traffic},
        std::chrono::steady_clock::now,
        [this](const abi::event& event) { EventLog(dir).tell(event); }};

    /// 0 where it isn't bound.
    std::uint64_t generation_of(const AttachmentId& id) const
    {
        const auto key = to_wire(id);
        return key ? pods.find(*key).value_or(abi::pod{}).id : 0;
    }

    /// From now on that pod lives as long as this device of its namespace does.
    void follow_life(const Netns& netns, int device, std::uint64_t generation);

    /// After the table was lost; by what is known of their namespaces otherwise.
    void find_the_living();

    /// Those bound when the command began: once unbound, nothing else tells where their filters are.
    std::vector<BoundPod> pods_at_start = pod_hooks.has_filters() ? bindings.pods() : std::vector<BoundPod>{};
};

}  // namespace sallyport
