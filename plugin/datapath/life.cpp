// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pods live, and what is seen of them.
#include "state.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/records.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>

namespace sallyport {

void Datapath::State::follow_life(const Netns& netns, int device, std::uint64_t generation)
{
    in_netns(netns, [&] { living.put(abi::living_key(generation), static_cast<__u32>(device)); });
}

void Datapath::State::find_the_living()
{
    for (const BoundPod& pod : bindings.pods())
        try {
            const Netns netns = open_netns(pod.netns);
            if (netns.identity == pod.netns_identity)
                follow_life(netns, loopback_device, pod.generation);
        } catch (const Error& error) {
            log_debug("pod " + pod.pod() + ": " + error.what());
        }
}

bool Datapath::knows_address(const Paths& paths, const std::vector<Address>& addresses)
{
    const UniqueFd fd = open_pinned(StateDir(paths.bpffs).map("pod_addresses"));
    if (!fd)
        return false;
    const BpfTable<abi::address, __u64> table(fd.get(), "pod_addresses");
    return std::ranges::any_of(addresses,
                               [&](const Address& address) { return table.find(to_wire(address)).has_value(); });
}

void Datapath::follow_life(const Netns& netns, int device)
{
    state_->follow_life(netns, device, state_->bindings.next_generation());
}

Seen Datapath::look(const NodePortBackend& backend, std::uint32_t netns_id) const
{
    if (!state_->living.find(abi::living_key(backend.generation))) {
        Seen seen;  // who has its namespace's id now is somebody else
        seen.gone = true;
        return seen;
    }
    abi::listener_question question{};
    question.netns = netns_id;
    question.listener = to_wire({backend.backend.address, backend.listener, backend.backend.protocol}).port;
    question.pod = backend.generation;
    question.backend = to_wire(backend.backend);

    UniqueFd& program = state_->ask_listener;
    if (!program)
        program = open_pinned(state_->dir.program("ask_listener"));
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &question, .data_size_in = sizeof question);
    if (!program || bpf_prog_test_run_opts(program.get(), &options) != 0)
        throw Error(Code::io_failure,
                    "ask the kernel who listens on " + backend.backend.to_string() + ": " + errno_text(errno));
    const auto noted = state_->backends.find(question.backend);
    return noted && noted->pod == backend.generation ? seen_from(*noted, std::chrono::steady_clock::now()) : Seen{};
}

}  // namespace sallyport
