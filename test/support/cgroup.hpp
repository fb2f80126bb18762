// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A cgroup v2 directory of this test's own, for the plugin to take as the root of a node's. The machine's root and its
// other children are never attached to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sallyport::test {

class Cgroup
{
public:
    /// Empty. Skips the test where this kernel has no cgroup v2, or doesn't let us make one.
    Cgroup();
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    ~Cgroup();

    const std::filesystem::path& path() const { return path_; }
    void add(const std::string& child) const;
    void remove(const std::string& child) const;

    /// Programs at the directory itself and everywhere below, one line each, asked from the kernel; sorted.
    std::vector<std::string> programs() const;

private:
    std::filesystem::path path_;
};

/// While it lives, this process is in that child, with all its threads. What counts for a socket is where its process
/// was when it made it.
class Stay
{
public:
    Stay(const Cgroup& cgroup, const std::string& child);
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay();
};

/// Removes all test cgroups of this sandbox, and those of sandboxes that were killed before they could. Called outside
/// the sandbox's pid namespace, once nothing runs in it any more.
void remove_test_cgroups() noexcept;

}  // namespace sallyport::test
