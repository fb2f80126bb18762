// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The loopback device of the network namespace that we run in: whatever is sent from there to one of its own addresses
// goes by it.
#pragma once

namespace sallyport {

/// Sets it up. True where it was down before. Throws Error(node_lacks) where the kernel refuses.
bool bring_up_loopback();

}  // namespace sallyport
