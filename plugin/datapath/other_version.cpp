// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an agent reads of tables that another version made: enough to answer a load balancer until the node is drained.
// What stays so that it can, abi.h says at SALLYPORT_ABI.
#include "sallyport/datapath.hpp"

#include "state_dir.hpp"

#include "sallyport/error.hpp"
#include "sallyport/inspection.hpp"
#include "sallyport/records.hpp"
#include "sallyport/wire.hpp"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace sallyport {

namespace {

/// The last ABI whose `ask_listener` says only whether there is a listener.
constexpr std::uint32_t abi_of_listeners = 3;

bool takes_traffic(const UniqueFd& program, std::uint32_t abi, const abi::node_port_backend& place, __u8 protocol)
{
    abi::listener_question question{};
    question.netns = place.netns;
    question.listener = place.listener;
    question.pod = place.pod;
    question.backend.address = place.address;
    question.backend.port = place.port;
    question.backend.protocol = protocol;
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &question, .data_size_in = sizeof question);
    if (bpf_prog_test_run_opts(program.get(), &options) != 0)
        throw Error(Code::io_failure, "run the pinned program ask_listener: " + errno_text(errno));
    return (options.retval & (abi <= abi_of_listeners ? abi::LISTENS : abi::TAKES_TRAFFIC)) != 0;
}

}  // namespace

bool Datapath::is_served_by_another_version(const Paths& paths, std::uint16_t port, Protocol protocol, bool v4)
{
    const StateDir dir(paths.bpffs);
    const UniqueFd table = open_map(dir, "node_ports");
    const UniqueFd program = open_pinned(dir.program("ask_listener"));
    bpf_map_info info{};
    __u32 size = sizeof info;
    if (bpf_map_get_info_by_fd(table.get(), &info, &size) != 0)
        throw Error(Code::io_failure, "look at the pinned table node_ports: " + errno_text(errno));
    if (!program || info.key_size != sizeof(abi::endpoint) || info.value_size < sizeof(abi::node_port))
        return false;

    const std::uint32_t abi = pinned_abi(paths).value_or(0);
    std::vector<std::byte> value(info.value_size);
    abi::endpoint key{};
    for (const abi::endpoint* previous = nullptr; bpf_map_get_next_key(table.get(), previous, &key) == 0;
         previous = &key) {
        if (!is_outside(node_port_from_wire(key), HostPort{port}, protocol, v4) ||
            bpf_map_lookup_elem(table.get(), &key, value.data()) != 0)
            continue;
        abi::node_port entry{};
        std::memcpy(&entry, value.data(), sizeof entry);
        const auto held = places(entry);
        if (std::any_of(held.begin(), held.end(),
                        [&](const auto& place) { return takes_traffic(program, abi, place, key.protocol); }))
            return true;
    }
    return false;
}

}  // namespace sallyport
