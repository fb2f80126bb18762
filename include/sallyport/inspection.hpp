// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What else the kernel knows about this node, for diagnosis: state of other versions of ours, and what belongs to
// others. Changes nothing.
#pragma once

#include "sallyport/config.hpp"
#include "sallyport/exposure.hpp"
#include "sallyport/frontend.hpp"
#include "sallyport/os/netlink.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// The ABI of whoever made the tables that are pinned; nullopt where there are none, or not yet complete ones.
std::optional<std::uint32_t> pinned_abi(const Paths& paths);

/// Whom the owner records name, whatever other tables were lost, and also of another ABI that names them alike. Throws
/// Error where that can't be read.
std::vector<AttachmentId> bound_attachments(const Paths& paths);

/// Throws Error(node_lacks) where that is another one than ours: what is in them would be misread.
void require_own_abi(const Paths& paths);

/// What Cilium serves, by its own tables below `bpffs`, as far as `wanted` says yes to where; each on its own for TCP
/// and UDP. None where Cilium isn't there, or has tables that we don't know.
std::vector<Frontend> frontends_of_cilium(const std::filesystem::path& bpffs,
                                          const std::function<bool(const NodePort&)>& wanted);

/// Those of the devices at which the node's program of ours runs, of any build, wherever its state is pinned.
std::vector<std::string> devices_that_run_ours(const std::vector<Device>& devices);

/// Advice where there are such devices, and no state of ours: each mount namespace may have a bpffs of its own.
inline constexpr const char* look_elsewhere =
    "look from the node's own mount namespace (`nsenter --target 1 --mount`) or from the agent's pod, or name the BPF "
    "file system with --bpffs";

/// What the datapath can't do without and the kernel lacks, in words; empty where all is there.
std::vector<std::string> missing_in_kernel();

/// The name of a BPF program by its id, cut at 15 characters; empty where the kernel doesn't say.
std::string bpf_program_name(std::uint32_t id);

}  // namespace sallyport
