#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The shipped gateways lose no request when they end, by their own numbers. An argument is another conf/ to check.
cd "$(dirname "$0")/../.."
exec test/conf/endings.py "${1:-conf}"
