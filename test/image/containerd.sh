#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The archive, imported by containerd and run by it: what a node does with the image. Its directories are in the sandbox.
. "$(dirname "$0")"/common.bash

if [ "${1:-}" != --inside ]; then
    need_image
    need containerd ctr containerd-shim-runc-v2 runc
    exec test/image/sandbox "$here/containerd.sh" --inside
fi

export CONTAINERD_ADDRESS=/run/containerd/containerd.sock CONTAINERD_NAMESPACE=test
mkdir -p /run/containerd
cat >/run/containerd/config.toml <<EOF
version = 2
root = "/run/containerd/root"
state = "/run/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$CONTAINERD_ADDRESS"
EOF
containerd --config /run/containerd/config.toml >/run/containerd/log 2>&1 &
for ((wait = 0; wait < 300; wait++)); do
    ! ctr version >/dev/null 2>&1 || break
    sleep 0.1
done
ctr version >/dev/null || { cat /run/containerd/log; fail "containerd doesn't answer"; }

# The archive carries the tag alone; who imports it gives the name under which pods ask for it. The native snapshotter: overlay
# isn't to be had everywhere.
name=registry.example/sallyport
ctr images import --all-platforms --snapshotter native --base-name $name "$image" >/dev/null
listed=$(ctr images list "name==$name:$version")
[[ $listed == *linux/amd64,linux/arm64* ]] || fail "containerd lists the image as:"$'\n'"$listed"
same "version under containerd" "$("$binary" version)" \
    "$(ctr run --rm --read-only --cpu-shares 0 --snapshotter native --cgroup /containerd $name:$version version /sallyport version)"
containerd --version
