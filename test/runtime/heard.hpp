// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who answers, once a new pod or container has come so far: its program listens a moment after the runtime's return,
// and an IPv6 address of a new bridge is checked for duplicates first.
#pragma once

#include "support/local_node.hpp"
#include "support/traffic.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace sallyport::test {

/// Asks until `expected` comes, and returns the last answer.
inline std::string heard(const std::string& expected, const std::function<std::string()>& ask)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    for (std::string answer;; std::this_thread::sleep_for(std::chrono::milliseconds(50)))
        if (answer = ask(); answer == expected || std::chrono::steady_clock::now() > end)
            return answer;
}

inline std::string from_outside(const Node& node, const Target& target, const std::string& expected)
{
    return heard(expected, [&] { return ask_tcp(node.client, target, {.limit = std::chrono::seconds(2)}); });
}

inline std::string from_node(const LocalNode& node, const Target& target, const std::string& name)
{
    const Stay as_process(node.cgroup, processes);
    return heard(name, [&] { return name_in(ask_tcp(node.host, target, {.limit = std::chrono::seconds(2)})); });
}

}  // namespace sallyport::test
