// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the programs must know of the running kernel before they are loaded (.rodata). Each question is put to the
// kernel anew; nobody asks twice.
#pragma once

#include "skeleton.hpp"

#include <cstdint>
#include <string>

namespace sallyport {

/// Throws Error(node_lacks) for an action that the kernel refused with `error`, and says what it may be lacking.
[[noreturn]] void kernel_refused(const std::string& action, int error);

/// Does bpf_l4_csum_replace take the flag that IPv6 needs with CHECKSUM_COMPLETE? No feature list tells.
bool kernel_csum_knows_ipv6();

/// Is there bpf_ktime_get_coarse_ns (kernel 5.11)?
bool kernel_has_coarse_clock();

/// Can a program at bind() choose the error (bpf_set_retval, kernel 5.18)?
bool kernel_has_set_retval();

/// Can a program at bind() tell a dual-stack socket from one of IPv6 alone, in the way of bpf/v6only.h?
bool kernel_shows_v6only();

/// What programs know this thread's network namespace by; 0 where the kernel doesn't say (before 5.14).
std::uint64_t netns_cookie();

}  // namespace sallyport
