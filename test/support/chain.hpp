// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Programs of others, next to ours: who stands where, somebody who comes before us, and somebody who takes a cgroup for
// his own.
#pragma once

#include "support/netns.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::test {

/// What an agent does with a cgroup that it considers its own: detaches every program that it finds there. Throws
/// std::runtime_error where one can't be detached, as it is held by a link; a real agent's start then ends half-way.
void detach_all_of_cgroup(const std::filesystem::path& cgroup);

/// Names of the programs on one side of a device, in the order in which packets meet them: tcx, then tc filters.
std::vector<std::string> chain_of(const Namespace& netns, const std::string& device, bool ingress);

/// Somebody's program, loaded: "intruder" ends the chain with every packet, "observer" lets it go on.
class OtherProgram
{
public:
    explicit OtherProgram(const char* name);

    int fd() const { return fd_.get(); }
    std::uint32_t id() const;

private:
    UniqueFd fd_;
};

/// Such a program at the head of a chain (tcx), until this object is gone.
class Intruder
{
public:
    Intruder(const Namespace& netns, const std::string& device, bool ingress, const char* program = "intruder");
    Intruder(const Intruder&) = delete;
    Intruder& operator=(const Intruder&) = delete;
    ~Intruder();

private:
    UniqueFd link_;
};

}  // namespace sallyport::test
