#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The image's program in a container: runc, which containerd and most of CRI-O's installations use, with nothing that it could
# write to and no privilege. Is it the program that was built, and does it run with so little?
. "$(dirname "$0")"/common.bash

if [ "${1:-}" != --inside ]; then
    need_image
    need runc
    exec test/image/sandbox "$here/runtime.sh" --inside
fi

# container <name> <argument>...: its output.
container()
{
    local name=$1
    shift
    test/image/oci.py bundle "$image" amd64 "/run/$name" "$@"
    runc --root /run/runc run --bundle "/run/$name" "$name"
}

same "version in a container" "$("$binary" version)" "$(container version version)"
same "help in a container" "$("$binary" --help)" "$(container help --help)"
same "files in the container's root, but for mount points" "/run/version/rootfs/sallyport" "$(find /run/version/rootfs -type f)"
runc --version | head -n 1
