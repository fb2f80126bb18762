// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The CNI protocol's commands (specification 1.1.0). Each reads as what it does; all but DEL throw Error, and run()
// answers it.
//
// A pod that asks for nothing of ours passes each of them before our configuration is judged: what is broken of us is
// gateways' matter. So STATUS, by which a runtime asks whether it may start pods at all, has nothing to say. Nothing of
// ours is opened for such a pod but what tells whether a gateway that is gone had its address.
#pragma once

#include "sallyport/annotation.hpp"
#include "sallyport/attachment.hpp"
#include "sallyport/bindings.hpp"
#include "sallyport/cni/json.hpp"
#include "sallyport/cni/request.hpp"
#include "sallyport/config.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// Binds what the pod's annotations ask for. Returns the result for stdout: prevResult, as it came.
std::string add(const Request& request);

/// Removes what the attachment holds, as far as that can be done; the log says what can't.
void del(const Request& request) noexcept;

/// Does the pod have what it asked for? By what is in force on this node, whatever the configuration says that a
/// runtime has kept since ADD; throws only where a new sandbox would be better off.
void check(const Request& request);

/// Removes what the network's attachments hold that aren't in the list of the valid ones. Goes on past failures, and
/// throws one Error that lists them.
void gc(const Request& request);

/// The versions that we speak, for stdout.
std::string version(const Request& request);

/// Who wants something done: the runtime, whose word replaces what the attachment holds; or the agent, which leaves a
/// binding as it is, waits for the lock for a moment only, and doesn't touch other pods: it may not see from its
/// container which of them live.
enum class Caller { runtime, agent };

/// How long each waits for the lock.
std::chrono::milliseconds patience_of(Caller caller);

/// Ends who had one of these addresses before, as far as he is bound (forget_predecessors()), and logs it. Under the
/// lock.
void end_predecessors(Bindings& bindings, const AttachmentId& successor, const std::string& network,
                      const std::vector<Address>& addresses);

/// The same for a pod without our annotations: else it would answer where its predecessor was exposed. Opens one table,
/// and only on a node where something is bound.
void end_predecessors_of_plain(const Request& request, const JsonValue& root) noexcept;

/// What ADD does once it knows what a pod wishes, and who it is: all checks, and the binding, under the lock. Leaves
/// nothing behind where it throws. Returns what leads where, for the log; nullopt where it left a binding as it was.
std::optional<std::string> bind_pod(const Config& config, const Wishes& wishes, const Attachment& pod, Caller caller);

/// A runtime must not be kept from removing a pod, nor told that one is broken, where the tables are of another ABI
/// than ours. True where they are; then the log says so. Throws Error where that can't be told.
bool left_to_another_version(const BaseConfig& config, const char* command);

/// What DEL does with a pod, bound or not; for the agent.
void unbind_pod(const BaseConfig& config, const AttachmentId& id);

}  // namespace sallyport
