// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Records of events.
#include "sallyport/error.hpp"
#include "sallyport/records.hpp"
#include "sallyport/wire.hpp"

#include <algorithm>
#include <array>

namespace sallyport {

namespace {

EventKind kind_of(__u8 kind)
{
    switch (kind) {
    case abi::EVENT_UNBIND:
        return EventKind::unbind;
    case abi::EVENT_HANDOVER:
        return EventKind::handover;
    case abi::EVENT_HOLD:
        return EventKind::hold;
    case abi::EVENT_DROP:
        return EventKind::drop;
    case abi::EVENT_WORD:
        return EventKind::word;
    case abi::EVENT_REFUSAL:
        return EventKind::refusal;
    case abi::EVENT_REJECT:
        return EventKind::reject;
    default:
        return EventKind::bind;
    }
}

std::string_view reason_of_rejection(__u8 code)
{
    switch (static_cast<Code>(code)) {
    case Code::not_allowed:
        return "not allowed by gateways";
    case Code::port_taken:
        return "node port taken";
    case Code::bad_annotation:
        return "annotation wrong";
    default:
        return "node lacks something";
    }
}

std::string_view name_of_reason(EventKind kind, __u8 reason)
{
    switch (kind) {
    case EventKind::drop:
        return name_of_drop(reason);
    case EventKind::handover:
        return reason == abi::WITNESS_SOCKET ? "socket" : reason == abi::WITNESS_ANSWER ? "answer" : "none";
    case EventKind::word:
        return reason == abi::WORD_ENDING ? "ending" : reason == abi::WORD_NOT_READY ? "not ready" : "ready";
    case EventKind::refusal:
        return reason == abi::OUTCOME_KEPT ? "kept" : "passed";
    case EventKind::reject:
        return reason_of_rejection(reason);
    default:
        return {};
    }
}

}  // namespace

std::string_view name(EventKind kind)
{
    switch (kind) {
    case EventKind::bind:
        return "bind";
    case EventKind::unbind:
        return "unbind";
    case EventKind::handover:
        return "handover";
    case EventKind::hold:
        return "hold";
    case EventKind::drop:
        return "drop";
    case EventKind::word:
        return "word";
    case EventKind::refusal:
        return "refusal";
    case EventKind::reject:
        return "reject";
    }
    return {};
}

bool is_of_a_port(const Event& event)
{
    return event.kind != EventKind::word && event.kind != EventKind::reject;
}

abi::event binding_event(abi::event_kind kind, const abi::pod& pod, const Exposure& exposure)
{
    abi::event event{};
    event.kind = static_cast<__u8>(kind);
    event.pod = pod.id;
    event.node_port = to_wire(exposure.node_port);
    event.peer = to_wire(exposure.backend);
    std::copy(std::begin(pod.pod_namespace), std::end(pod.pod_namespace), event.pod_namespace);
    std::copy(std::begin(pod.pod_name), std::end(pod.pod_name), event.pod_name);
    return event;
}

abi::event word_event(const abi::pod& pod, const abi::pod_word& word)
{
    abi::event event{};
    event.kind = abi::EVENT_WORD;
    event.reason = static_cast<__u8>(word.ending != 0                   ? abi::WORD_ENDING
                                     : word.readiness == abi::NOT_READY ? abi::WORD_NOT_READY
                                                                        : abi::WORD_READY);
    event.pod = pod.id;
    std::copy(std::begin(pod.pod_namespace), std::end(pod.pod_namespace), event.pod_namespace);
    std::copy(std::begin(pod.pod_name), std::end(pod.pod_name), event.pod_name);
    return event;
}

abi::event rejection_event(std::string_view pod_namespace, std::string_view pod_name, Code code)
{
    abi::event event{};
    event.kind = abi::EVENT_REJECT;
    event.reason = static_cast<__u8>(code);
    pod_namespace.copy(event.pod_namespace, sizeof event.pod_namespace - 1);
    pod_name.copy(event.pod_name, sizeof event.pod_name - 1);
    return event;
}

Event event_from(const abi::event& record)
{
    Event event;
    event.number = record.number;
    event.time = instant_from(record.time);
    event.kind = kind_of(record.kind);
    event.node_port = node_port_from_wire(record.node_port);
    event.peer = backend_from_wire(record.peer);
    event.pod = record.pod;
    event.previous_pod = record.previous_pod;
    if (event.kind == EventKind::bind || event.kind == EventKind::unbind || event.kind == EventKind::word ||
        event.kind == EventKind::reject) {
        event.pod_namespace = record.pod_namespace;
        event.pod_name = record.pod_name;
    }
    event.reason = name_of_reason(event.kind, record.reason);
    return event;
}

std::string_view name_of_drop(__u32 reason)
{
    static constexpr std::array<std::string_view, abi::DROP_REASONS> names{"rewrite_failed", "clash"};
    return reason < names.size() ? names[reason] : "unknown";
}

}  // namespace sallyport
