#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# clang-tidy over the plugin, as a build of its own (preset `tidy`): the second run looks only at what changed.
# From version 16 on it can read libstdc++'s <ranges>; -D_Bool=bool in the preset is for bpftool's skeletons.
set -euo pipefail

command -v clang-tidy-19 >/dev/null || { echo "skipped: clang-tidy 19 decides, and isn't here"; exit 77; }
cmake --preset tidy >/dev/null
nice cmake --build --preset tidy
