// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "tcx.hpp"

#include "sallyport/datapath.hpp"
#include "sallyport/error.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

namespace sallyport {

namespace {

bpf_attach_type type_of(Direction direction)
{
    return direction == Direction::ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
}

/// Attach types of kernel 6.7, for older headers.
constexpr auto netkit_primary = static_cast<bpf_attach_type>(54);
constexpr auto netkit_peer = static_cast<bpf_attach_type>(55);

std::vector<ChainMember> chain_at(int ifindex, bpf_attach_type type)
{
    std::array<__u32, 64> programs{};  // the kernel takes no more into one chain
    std::array<__u32, 64> links{};
    LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = programs.data(), .prog_cnt = programs.size(),
                .link_ids = links.data());
    if (bpf_prog_query_opts(ifindex, type, &query) != 0)
        return {};
    std::vector<ChainMember> chain(std::min<std::size_t>(query.prog_cnt, programs.size()));
    for (std::size_t i = 0; i < chain.size(); i++)
        chain[i] = {programs[i], links[i]};
    return chain;
}

}  // namespace

UniqueFd link_at_head(Place place, int program)
{
    // A command killed before it pinned its link leaves one that the kernel takes down some time later. Until then our
    // program is in the chain, and the kernel takes none twice.
    constexpr int attempts = 1000;
    for (int i = 1;; i++) {
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BPF_F_BEFORE);  // no anchor: the head of the chain
        UniqueFd link(bpf_link_create(program, place.ifindex, type_of(place.direction), &options));
        if (link || errno == EINVAL)
            return link;  // no tcx before kernel 6.6
        if (errno != EEXIST || i == attempts)
            throw Error(Code::node_lacks, errno_text(errno) + "; `bpftool net show` lists who else is attached");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

std::vector<ChainMember> tcx_chain(Place place)
{
    return chain_at(place.ifindex, type_of(place.direction));
}

std::vector<ChainMember> netkit_chain(int ifindex)
{
    std::vector<ChainMember> chain = chain_at(ifindex, netkit_primary);
    const auto of_peer = chain_at(ifindex, netkit_peer);
    chain.insert(chain.end(), of_peer.begin(), of_peer.end());
    return chain;
}

bool kernel_has_tcx()
{
    constexpr int loopback = 1;  // in every namespace
    LIBBPF_OPTS(bpf_prog_query_opts, query);
    return bpf_prog_query_opts(loopback, BPF_TCX_INGRESS, &query) == 0 || errno != EINVAL;
}

std::optional<TcxLink> describe_link(int link)
{
    bpf_link_info info{};
    __u32 size = sizeof info;
    if (bpf_link_get_info_by_fd(link, &info, &size) != 0)
        return std::nullopt;
    return TcxLink{info.id, info.prog_id, static_cast<int>(info.tcx.ifindex)};
}

__u32 program_id(int fd)
{
    bpf_prog_info info{};
    __u32 size = sizeof info;
    return bpf_prog_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

std::string program_name(__u32 id)
{
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    __u32 size = sizeof info;
    return fd && bpf_prog_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.name : "";
}

}  // namespace sallyport
