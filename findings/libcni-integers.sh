#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# libcni v1.3.1: an integer in a plugin's configuration reaches the plugin as another number when it is above 2^53, and as
# one with an exponent from 10^21 on.
#
# Each plugin's part of a list goes through a map of Go's interface{} twice, where a JSON number is a float64. The plugin
# can't see it: it reads valid JSON. What needs 64 bits (a VNI with flags, a serial number, a bitmap) belongs in a string.
#
# Seen with Go 1.24 and 1.26:
#   in the list             at the plugin
#   9007199254740993        9007199254740992
#   18446744073709551615    18446744073709552000
#   1000000000000000000000  1e+21
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
mkdir bin
cat >bin/keep <<'PLUGIN'
#!/bin/sh
cat >"$CNI_PATH/../given"
echo '{"cniVersion": "1.0.0"}'
PLUGIN
chmod +x bin/keep
cat >main.go <<'GO'
package main

import (
	"context"
	"os"

	"github.com/containernetworking/cni/libcni"
)

func main() {
	directory := os.Args[1]
	cni := libcni.NewCNIConfigWithCacheDir([]string{directory + "/bin"}, directory+"/cache", nil)
	list, err := libcni.NetworkConfFromBytes([]byte(`{"cniVersion": "1.0.0", "name": "pods", "plugins": [
		{"type": "keep", "serials": [9007199254740993, 18446744073709551615, 1000000000000000000000]}]}`))
	if err == nil {
		_, err = cni.AddNetworkList(context.Background(), list,
			&libcni.RuntimeConf{ContainerID: "c", NetNS: "/proc/self/ns/net", IfName: "eth0"})
	}
	if err != nil {
		panic(err)
	}
}
GO
go run . "$dir"
grep -o '"serials":[^]]*]' given | tee output
diff - output <<'WANTED' || { echo "changed" >&2; exit 1; }
"serials":[9007199254740992,18446744073709552000,1e+21]
WANTED
