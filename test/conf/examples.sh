#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every configuration and annotation under conf/ is one that the plugin takes, says the plugin itself.
cd "$(dirname "$0")/../.."
exec test/conf/examples.py "${SALLYPORT_BIN:-build/sallyport}" "${1:-conf}"
