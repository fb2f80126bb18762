// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Loads the objects as the command does, but pins and attaches nothing. Skips the test without root.
#pragma once

#include "../../plugin/datapath/skeleton.hpp"
#include "packet_builder.hpp"

#include <node.skel.h>
#include <pod.skel.h>

#include <string>

namespace sallyport::test {

inline constexpr int verdict_next = -1;
inline constexpr int verdict_drop = 2;

/// What a program made of a packet.
struct Outcome
{
    int verdict = 0;
    Bytes out;
};

struct LoadOptions
{
    unsigned fresh = 4096;  ///< capacities of the flow tables
    unsigned established = 4096;
    unsigned answered = 4096;
    unsigned link_header = 14;  ///< 0 for devices without one
};

Skeleton<::node> load_node(const LoadOptions& options);

/// With the tables of `node`.
Skeleton<::pod> load_pod(const ::node& node);

/// Runs it in the calling thread's network namespace. Throws std::system_error where the kernel refuses.
Outcome test_run(int program, const std::string& name, const Bytes& packet);

/// CLOCK_MONOTONIC in ns: the programs' clock.
std::uint64_t monotonic_now();
inline constexpr std::uint64_t one_second = 1000000000;

}  // namespace sallyport::test
