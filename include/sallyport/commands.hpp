// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The CNI protocol's commands (specification 1.1.0). Each reads as what it does; each throws Error, and run() answers
// it.
#pragma once

#include "sallyport/annotation.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/cni/request.hpp"
#include "sallyport/config.hpp"

#include <optional>
#include <string>

namespace sallyport {

/// Binds what the pod's annotations ask for. Returns the result for stdout: prevResult, as it came.
std::string add(const Request& request);

/// Removes what the attachment holds. Succeeds where there is nothing, or nowhere to look.
void del(const Request& request);

/// Is the attachment still as ADD left it, and do the devices still run our programs?
void check(const Request& request);

/// Removes what the network's attachments hold that aren't in the list of the valid ones.
void gc(const Request& request);

/// Could an ADD be served? Our configuration must be right; everything else concerns gateway pods alone, and would make
/// the whole node NotReady.
void status(const Request& request);

/// The versions that we speak, for stdout.
std::string version(const Request& request);

/// Who wants something done: the runtime, whose word replaces what the attachment holds; or the agent, which leaves a
/// binding as it is, waits for the lock for a moment only, and doesn't touch other pods: it may not see from its
/// container which of them live.
enum class Caller { runtime, agent };

/// What ADD does once it knows what a pod wishes, and who it is: all checks, and the binding, under the lock. Leaves
/// nothing behind where it throws. Returns what leads where, for the log; nullopt where it left a binding as it was.
std::optional<std::string> bind_pod(const Config& config, const Wishes& wishes, const Attachment& pod, Caller caller);

/// What DEL does with a pod, bound or not; for the agent.
void unbind_pod(const BaseConfig& config, const AttachmentId& id);

}  // namespace sallyport
