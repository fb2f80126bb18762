#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds what the other tests of this tier look at, as users do.
. "$(dirname "$0")"/common.bash

need aarch64-linux-gnu-g++ buildah cpack
nice make image deb # what runs beside it mostly waits, and goes first
