#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# libcni v1.3.1: a plugin from the drop-in directory is called for ADD, but not for the DEL of a runtime that tears a pod down
# by the configuration that libcni itself cached for it, as CRI-O does.
#
# The cache keeps the bytes of the list's file; plugins that came from <directory>/<network>/*.conf aren't in them, and reading
# the bytes again doesn't look there. What such a plugin made for the pod stays.
#
# Seen with Go 1.24 and 1.26:
#   ADD by the file     first, dropped-in
#   DEL by the cache    first
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOMODCACHE=$dir/modules GOFLAGS='-mod=mod -modcacherw' GOTOOLCHAIN=local
cat >go.mod <<'MOD'
module finding

go 1.24

require github.com/containernetworking/cni v1.3.1
MOD
mkdir -p bin conf/pods
for plugin in first dropped-in; do
    printf '#!/bin/sh\necho "$CNI_COMMAND %s" >>"$CNI_PATH/../calls"\necho "{\\"cniVersion\\": \\"1.0.0\\"}"\n' $plugin >bin/$plugin
    chmod +x bin/$plugin
done
echo '{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "first"}]}' >conf/10-pods.conflist
echo '{"type": "dropped-in"}' >conf/pods/50-more.conf
cat >main.go <<'GO'
package main

import (
	"context"
	"os"

	"github.com/containernetworking/cni/libcni"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	directory := os.Args[1]
	cni := libcni.NewCNIConfigWithCacheDir([]string{directory + "/bin"}, directory+"/cache", nil)
	pod := &libcni.RuntimeConf{ContainerID: "c", NetNS: "/proc/self/ns/net", IfName: "eth0"}
	list, err := libcni.NetworkConfFromFile(directory + "/conf/10-pods.conflist")
	must(err)
	_, err = cni.AddNetworkList(context.Background(), list, pod)
	must(err)
	cached, pod, err := cni.GetNetworkListCachedConfig(list, pod)
	must(err)
	list, err = libcni.NetworkConfFromBytes(cached)
	must(err)
	must(cni.DelNetworkList(context.Background(), list, pod))
}
GO
go run . "$dir"
diff - <(tee /dev/stderr <calls) <<'WANTED' || { echo "changed" >&2; exit 1; }
ADD first
ADD dropped-in
DEL first
WANTED
