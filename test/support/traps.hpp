// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What gets in our way on a node, for whoever should notice it.
#pragma once

#include "sallyport/os/unique_fd.hpp"
#include "support/netns.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace sallyport::test {

/// Makes the pinned tables look like those of an incompatible version.
void raise_abi(const std::filesystem::path& bpffs);

/// The same, with larger keys and values in the tables that are looked at first.
void pretend_another_abi(const std::filesystem::path& bpffs);

/// Puts a table of somebody else there, whose one value is larger than any of ours.
void pin_another_table(const std::filesystem::path& pin);

/// An XDP program with the name of Cilium's, that lets everything through, until this object is gone.
class XdpProgram
{
public:
    XdpProgram(const Namespace& netns, const std::string& device);
    XdpProgram(const XdpProgram&) = delete;
    XdpProgram& operator=(const XdpProgram&) = delete;
    ~XdpProgram();

private:
    int attach(int program) const;

    const Namespace& netns_;
    int ifindex_;
    UniqueFd program_;
};

}  // namespace sallyport::test
