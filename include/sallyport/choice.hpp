// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pod takes a new connection, and why, in words: what bpf/select.h does, as a function of values.
#pragma once

#include "sallyport/exposure.hpp"
#include "sallyport/witness.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// A pod behind a node port, as the datapath sees it.
struct Candidate
{
    Backend listener;  ///< where its socket should be
    Seen seen{};
    std::optional<Word> word{};  ///< of Kubernetes; nullopt: it says nothing, or said it too long ago
};

/// By its socket or its answers, and nothing that came later says otherwise.
bool serves(const Candidate& candidate);

/// By which witness it serves: "socket", "answer", or "none".
std::string_view witness_of(const Candidate& candidate);

/// Since when it serves, or did before it was in doubt; 0 where it doesn't.
std::chrono::milliseconds serving_for(const Candidate& candidate, Instant now);

/// Kubernetes has told it to end.
bool is_ending(const Candidate& candidate);

/// Should an external load balancer send its clients here for this pod? It isn't ending, and serves; or Kubernetes
/// calls it Ready, and nobody knows better.
bool takes_traffic(const Candidate& candidate);

/// By which witness a pod serves, or why it doesn't: "listens", "no socket seen, answered 2s ago", "ending since 3s",
/// "not Ready: ContainersNotReady", "nothing listens on 10.0.1.7:9080/tcp".
std::string describe(const Candidate& candidate, Instant now);

struct Choice
{
    bool takes_new = false;
    std::string why;  ///< "youngest that listens", or what describe() says
};

/// For each of the candidates, who come youngest first. `sharing` is the youngest pod's, also where it doesn't serve.
std::vector<Choice> choose(const std::vector<Candidate>& candidates, const Sharing& sharing, Instant now);

}  // namespace sallyport
