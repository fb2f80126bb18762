// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which of two bound pods is the younger. Not by when they were bound: the agent adopts pods that are older than those
// whose ADD came first.
#pragma once

#include "sallyport/bindings.hpp"

#include <map>
#include <optional>

namespace sallyport {

/// Reads the owner records when it is first asked: most pods share no node port, and never ask.
class Bindings::Ages
{
public:
    explicit Ages(const Table<abi::pod_key, abi::pod>& pods) : pods_(pods) {}

    /// When that pod was made, ns since 1970; 0 where nobody knows.
    std::uint64_t of(std::uint64_t generation);
    void add(const abi::pod& record);  ///< that is new in the table
    bool is_younger(std::uint64_t one, std::uint64_t other);

private:
    const Table<abi::pod_key, abi::pod>& pods_;
    std::optional<std::map<std::uint64_t, std::uint64_t>> made_at_;  ///< by generation
};

}  // namespace sallyport
