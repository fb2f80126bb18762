#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The tests of this folder fail where they must: each mutation of mutations.yaml breaks a copy of conf/, and its test
# has to say so.
cd "$(dirname "$0")/../.."
# shellcheck source=test/conf/tools
. test/conf/tools
build_checker
test/conf/mutations.py "$scratch"
