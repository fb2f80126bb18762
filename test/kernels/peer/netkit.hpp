// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// iproute2 of Debian 12 is older than netkit, so this asks the kernel itself.
#pragma once

#include <string>

/// A pair of netkit devices: `name` here, and eth0 in the network namespace that `ip netns` calls `netns`. Returns the
/// exit status.
int make_netkit(bool l3, const std::string& name, const std::string& netns);
