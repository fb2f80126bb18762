#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The unit tests, built for arm64 with the flags of the release, under qemu.
. "$(dirname "$0")"/common.bash

need aarch64-linux-gnu-g++ qemu-aarch64
cmake --preset arm64 >/dev/null
cmake --build --preset arm64 --target unit_tests
qemu-aarch64 build/arm64/unit_tests
