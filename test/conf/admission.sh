#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The admission policy says to each request of admission-cases.yaml what it must. An argument is another conf/ to check.
cd "$(dirname "$0")/../.."
# shellcheck source=test/conf/tools
. test/conf/tools
[ $# -gt 0 ] || build_checker
check admission test/conf/admission-cases.yaml "${1:-conf}"/base/admission-policy.yaml
