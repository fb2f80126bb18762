// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// From what a pod asks for to what it gets: pure functions of values. Nothing here touches the kernel.
#pragma once

#include "sallyport/annotation.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/config.hpp"
#include "sallyport/error.hpp"
#include "sallyport/exposure.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport {

struct Answered;

/// The exposures that the pod's wishes come to: one for each address family that both the wish and the pod have; remaps
/// last, and asked of nobody: they stay inside the pod. Throws Error: not_allowed where `gateways` says no;
/// bad_annotation for a hostIP that node ports aren't answered on, for a family that the pod lacks, and for two wishes
/// that claim the same node port.
std::vector<Exposure> desired(const Config& config, const Wishes& wishes, const Attachment& pod,
                              const Answered& answered);

/// Is any of them translated there?
bool any_at(Scope scope, const std::vector<Exposure>& exposures);

/// A node port and the pod that holds it.
struct Holder
{
    NodePort node_port;
    AttachmentId attachment;
    std::string pod_namespace;
    std::string pod;      ///< `namespace/name`
    std::string netns{};  ///< path
};

/// A socket of a host process that receives on a port. `address` is the family's "any" where it isn't bound to one.
struct HostListener
{
    Address address;
    HostPort port{};
    Protocol protocol = Protocol::tcp;
    bool v6_only = false;     ///< false on `::`: it takes IPv4 too
    std::uint64_t inode = 0;  ///< of the socket, as /proc/<pid>/fd shows it

    auto operator<=>(const HostListener&) const = default;
};

/// Throws Error(port_taken) where a wanted node port (Scope::node) overlaps one that a pod of another namespace holds;
/// the message names that pod. Pods of one namespace share.
void refuse_other_namespaces(const std::vector<Exposure>& wanted, const Attachment& pod,
                             const std::vector<Holder>& holders);

/// What else helps a pod of Kubernetes whose node port is taken, after what the refusal says by itself: the scheduler
/// knows nothing of it, so the pod is tried on its node for ever. Other errors as they are.
Error or_elsewhere(const Error& refusal, const Attachment& pod);

/// The same of what a container outside Kubernetes publishes (`published`), beside every other container of that kind:
/// they have no namespace in common, but none at all, and their tools know no port that passes from one to the next.
/// One container may be attached to several networks.
void refuse_other_containers(const std::vector<Exposure>& published, const Attachment& container,
                             const std::vector<Holder>& holders);

/// The first listener that would be cut off by the exposures of Scope::node, if any: one whose clients would reach the
/// pod. A listener at an address that isn't answered keeps all of its own.
const HostListener* find_cut_off(const std::vector<Exposure>& wanted, const std::vector<HostListener>& listeners,
                                 const Answered& answered);

}  // namespace sallyport
