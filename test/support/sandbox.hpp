// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where node tests live: namespaces of the test process's own, so that nothing they do reaches the machine, and nothing
// of it stays, whichever way the process ends.
#pragma once

#include <filesystem>
#include <string>

namespace sallyport::test {

/// Moves this process into private pid, mount, network, cgroup and IPC namespaces. To be called once, before any thread
/// starts: the caller becomes three processes, of which only the innermost returns. The outermost waits and exits with
/// its status; when it is killed, the kernel kills all others, and with them go their mounts, namespaces and devices.
///
/// Exits with `skipped` where the machine doesn't let us (no root).
void enter_sandbox();

/// CTest's word for "all tests skipped" (Catch2's as well).
inline constexpr int skipped = 4;

/// A directory on the sandbox's own tmpfs.
std::filesystem::path sandbox_directory();

/// The outermost process, by its number outside. It outlives all that the sandbox does.
int sandbox_owner();

/// A number that no other call in this sandbox got.
unsigned next_number();

}  // namespace sallyport::test
