// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pod takes a new connection, and why, in words: what bpf/select.h does, as a function of values.
#pragma once

#include "sallyport/exposure.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace sallyport {

/// A pod behind a node port, as the datapath sees it.
struct Candidate
{
    Backend listener;  ///< where its socket should be
    bool listening = false;
    std::chrono::milliseconds listening_for{0};  ///< since it was first seen to
};

struct Choice
{
    bool takes_new = false;
    std::string why;  ///< "youngest that listens", "nothing listens on 10.0.1.7:9080/tcp"
};

/// For each of the candidates, who come youngest first. `sharing` is the youngest pod's, also where it doesn't listen.
std::vector<Choice> choose(const std::vector<Candidate>& candidates, const Sharing& sharing);

}  // namespace sallyport
