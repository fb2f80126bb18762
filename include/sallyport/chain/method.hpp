// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What container runtimes do differently with the CNI directory, by the name and version that they tell over CRI.
#pragma once

#include "sallyport/node_options.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

/// Major and minor of a runtime's `v2.1.4`, `2.1.0-rc.1`, `1.7.24~ds1`; zeros where there is no such thing.
std::pair<int, int> release_of(std::string_view version);

/// Where our entry belongs under this runtime: a drop-in with containerd from 2.1 on, which carries libcni 1.3, and the
/// list itself with all others. That includes CRI-O, whatever its libcni: it tears a pod down by the list as it was
/// cached when the pod started, drop-ins aren't part of that text, and our DEL would never come. Never `automatic`.
ChainMethod method_for(std::string_view runtime_name, std::string_view version);

/// Why our entry mustn't go there under this runtime, and what to do; "" where it may, or where we know the runtime too
/// little to say.
std::string objection_to(ChainMethod method, std::string_view runtime_name, std::string_view version);

/// Does this runtime call the plugins that it called when the pod started, though the list has changed since? CRI-O
/// does: while pods of before live, their teardown fails, the primary plugin's too, if our binary is gone.
bool tears_down_by_cache(std::string_view runtime_name);

}  // namespace sallyport
