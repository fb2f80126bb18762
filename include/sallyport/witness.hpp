// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is known of a pod: what the datapath has seen of it at one of its ports, and what Kubernetes says of it.
#pragma once

#include "sallyport/clock.hpp"

#include <optional>
#include <string>

namespace sallyport {

/// By the datapath's own witnesses, as in abi::backend; nullopt: not, or never.
struct Seen
{
    std::optional<Instant> listening_since;  ///< its socket is there
    std::optional<Instant> answering_since;  ///< it answers, without a socket that we see
    std::optional<Instant> answered_at;      ///< the latest answer to a first packet
    std::optional<Instant> refused_at;    ///< the latest refusal, or when its listener closed; it hasn't answered since
    std::optional<Instant> silent_since;  ///< several first packets are without an answer
    bool gone = false;                    ///< the pod's namespace ended, and nobody called DEL; the rest says nothing

    auto operator<=>(const Seen&) const = default;
};

enum class Readiness { unknown, ready, not_ready };

/// What Kubernetes says of a pod. It counts for abi::WORD_LASTS after it was written: whoever watches tells it again.
struct Word
{
    Readiness readiness = Readiness::unknown;
    bool ending = false;             ///< it has a deletionTimestamp
    std::optional<Instant> since{};  ///< since when it ends, or isn't ready
    std::string reason{};            ///< why it isn't ready, for people; cut where it is long

    auto operator<=>(const Word&) const = default;
};

}  // namespace sallyport
