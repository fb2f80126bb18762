#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Agent and uninstaller agree, in base and in every overlay: same directories, mounts and rights; every path that they
# are told is mounted, and where the host has it. An argument is another conf/ to check.
cd "$(dirname "$0")/../.."
# shellcheck source=test/conf/tools
. test/conf/tools
conf=${1:-conf}

pairs=()
for agent in "$conf" "$conf"/overlays/*; do
    uninstaller=$agent/uninstall
    kustomize build "$agent" >"$scratch"/agent.yaml
    kustomize build "$uninstaller" >"$scratch"/uninstaller.yaml
    test/conf/places.py "$agent" "$scratch"/agent.yaml "$scratch"/uninstaller.yaml
    pairs+=("$agent")
done
[ ${#pairs[@]} -ge 5 ]
echo "${pairs[*]}"
