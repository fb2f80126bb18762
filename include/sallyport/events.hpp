// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What happened of late on this node, as the datapath and the commands have noted it (bpf/events.h). The newest
// abi::MAX_EVENTS are kept; any number of readers may look, each from where it stopped.
#pragma once

#include "sallyport/bindings.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport {

enum class EventKind {
    bind,      ///< a pod took a node port, or remapped one of its own
    unbind,    ///< it left it
    handover,  ///< a connection went to another pod than the one before
    hold,      ///< a new connection begins to wait for a listener
    drop,      ///< a packet was dropped
    word,      ///< Kubernetes says something else of a pod than before
    refusal,   ///< a pod refused the first packet of a connection
    reject,    ///< a pod was refused what it asks for
};

std::string_view name(EventKind kind);

struct Event
{
    std::uint64_t number = 0;  ///< from 1, without gaps; what a reader skipped was overwritten
    Instant time;
    EventKind kind = EventKind::bind;
    NodePort node_port;     ///< hold, drop, refusal: where the packet was sent; word, reject: none
    Backend peer;           ///< bind, unbind: the backend; hold, drop, refusal: where the packet came from
    std::uint64_t pod = 0;  ///< generation; bind, unbind, word, refusal: whose it is; handover: who took the connection
    std::uint64_t previous_pod = 0;  ///< handover: generation of who took the one before
    std::string pod_namespace;       ///< bind, unbind, word, reject
    std::string pod_name;            ///< bind, unbind, word, reject
    /// drop: as in the metric sallyport_drops_total; handover: by which witness the pod serves, "socket", "answer" or
    /// "none"; word: "ready", "not ready" or "ending"; refusal: "passed" to the client, or "kept" from it;
    /// reject: why, in a few words
    std::string reason;
};

/// Has it a node port? What Kubernetes says of a pod, and what a pod is refused, is about the pod.
bool is_of_a_port(const Event& event);

}  // namespace sallyport
