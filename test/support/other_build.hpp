// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The plugin as another build of it, for upgrades.
#pragma once

#include "support/node.hpp"

#include <string>

namespace sallyport::test {

/// The same program: of a source line that the BPF object carries for debugging, one letter differs. So the object's
/// bytes do, and with them its hash, and nothing of what it does. The path of the copy, in the node's directory.
std::string other_build(const Node& node);

}  // namespace sallyport::test
