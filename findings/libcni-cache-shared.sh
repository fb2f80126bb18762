#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# libcni v1.3.1: two attachments can share one cache file, and then the DEL of one is given the other's result.
#
# The file's name is network, container id and interface name joined by "-", and all three may hold a "-". So container
# "blue-7" of network "pods" and container "7" of network "pods-blue" are one file. The later ADD overwrites the earlier one's
# entry; the earlier one's DEL gets the later one's addresses as prevResult, and takes the file away from it.
#
# Seen with Go 1.24 and 1.26:
#   blue-7 of pods      added with 10.1.0.1
#   7 of pods-blue      added with 10.2.0.1
#   cache files         1
#   DEL blue-7 of pods  prevResult 10.2.0.1
#   DEL 7 of pods-blue  no prevResult
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
# A plugin: ADD answers with the address that its network was configured with; DEL notes what prevResult said.
cat >bin/give <<'PLUGIN'
#!/usr/bin/env python3
import json, os, sys
config = json.load(sys.stdin)
if os.environ["CNI_COMMAND"] == "ADD":
    json.dump({"cniVersion": config["cniVersion"], "ips": [{"address": config["address"]}]}, sys.stdout)
elif os.environ["CNI_COMMAND"] == "DEL":
    given = config.get("prevResult")
    what = "prevResult " + given["ips"][0]["address"] if given else "no prevResult"
    open(os.environ["CNI_PATH"] + "/../seen", "a").write(f"DEL {os.environ['CNI_CONTAINERID']} of {config['name']}: {what}\n")
PLUGIN
chmod +x bin/give
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
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
	attachment := func(network, id, address string) (*libcni.NetworkConfigList, *libcni.RuntimeConf) {
		list, err := libcni.NetworkConfFromBytes([]byte(fmt.Sprintf(
			`{"cniVersion": "1.0.0", "name": %q, "plugins": [{"type": "give", "address": %q}]}`, network, address)))
		must(err)
		return list, &libcni.RuntimeConf{ContainerID: id, NetNS: "/proc/self/ns/net", IfName: "eth0"}
	}
	pods, blue7 := attachment("pods", "blue-7", "10.1.0.1/24")
	podsBlue, seven := attachment("pods-blue", "7", "10.2.0.1/24")
	for _, add := range []func() error{
		func() error { _, err := cni.AddNetworkList(context.Background(), pods, blue7); return err },
		func() error { _, err := cni.AddNetworkList(context.Background(), podsBlue, seven); return err },
	} {
		must(add())
	}
	files, err := os.ReadDir(directory + "/cache/results")
	must(err)
	fmt.Println("cache files:", len(files))
	must(cni.DelNetworkList(context.Background(), pods, blue7))
	must(cni.DelNetworkList(context.Background(), podsBlue, seven))
}
GO
{ go run . "$dir"; cat seen; } | tee output
diff - output <<'WANTED' || { echo "changed" >&2; exit 1; }
cache files: 1
DEL blue-7 of pods: prevResult 10.2.0.1/24
DEL 7 of pods-blue: no prevResult
WANTED
