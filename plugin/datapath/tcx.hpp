// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// tcx (kernel 6.6): links that stand in a chain on one side of a device. A program that ends the chain hides all behind
// it, so what counts is to be the first. Works in the network namespace that the calling thread is in.
#pragma once

#include "place.hpp"

#include "sallyport/os/unique_fd.hpp"

#include <linux/types.h>

#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// A link at the head of the chain. An empty handle where the kernel has no tcx. The kernel takes no program twice into
/// one chain. Throws Error(node_lacks).
UniqueFd link_at_head(Place place, int program);

/// Ids of one member of a chain; link 0: attached without a link.
struct ChainMember
{
    __u32 program = 0;
    __u32 link = 0;
};

/// First to last; empty where the kernel has no tcx, or the device is gone.
std::vector<ChainMember> tcx_chain(Place place);

/// Of a netkit device's own hooks, both ends'; empty for other devices. `ifindex` is the host's end.
std::vector<ChainMember> netkit_chain(int ifindex);

struct TcxLink
{
    __u32 id = 0;
    __u32 program = 0;  ///< id
    int ifindex = 0;    ///< 0 once the device is gone, or the link was detached
};

/// nullopt where the kernel doesn't say.
std::optional<TcxLink> describe_link(int link);

/// The id of a program; 0 where the kernel doesn't say.
__u32 program_id(int fd);

/// As the kernel keeps it, cut at 15 characters; empty where the program is gone.
std::string program_name(__u32 id);

}  // namespace sallyport
