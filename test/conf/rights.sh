#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The capabilities that conf/base/daemonset.yaml gives are enough to load, attach at a device, and attach inside a pod's
# namespace on this kernel, and SYS_ADMIN among them is needed. The plugin does it with just these, in namespaces of
# this script's own. An argument is another conf/ to check.
set -euo pipefail
cd "$(dirname "$0")/../.."

export SALLYPORT_BIN=${SALLYPORT_BIN:-build/sallyport}
if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "skipped: root makes namespaces"; exit 77; }
    exec unshare --net --mount --pid --mount-proc --fork --kill-child "$0" --inside "${1:-conf}"
fi
conf=$2

work=/run # of this script alone, from here on
SALLYPORT_BIN=$(realpath "$SALLYPORT_BIN")
capabilities=$(/usr/bin/python3 -c '
import sys, yaml
pod = yaml.safe_load(open(sys.argv[1]))["spec"]["template"]["spec"]
print("".join(",+" + name.lower() for name in pod["containers"][0]["securityContext"]["capabilities"]["add"]))
' "$conf"/base/daemonset.yaml)

mount -t tmpfs none $work
mkdir $work/bpf $work/state
mount -t bpf none $work/bpf || { echo "skipped: no bpffs here"; exit 77; }
ip link set lo up
ip link add eth0 type veth peer name wire
ip address add 192.0.2.1/24 dev eth0
ip link set eth0 up
ip link set wire up
ip netns add pod
ip link add lxc1 type veth peer name eth0 netns pod
ip link set lxc1 up
ip -n pod link set eth0 up
ip -n pod address add 198.51.100.7/32 dev eth0

# plugin <capabilities> <command>, for a pod that both exposes a port and remaps one
plugin()
{
    env CNI_COMMAND="$2" CNI_CONTAINERID=one CNI_NETNS=$work/netns/pod CNI_IFNAME=eth0 CNI_PATH=/nowhere \
        CNI_ARGS='K8S_POD_NAMESPACE=gateway;K8S_POD_NAME=one' \
        setpriv --inh-caps=-all --bounding-set="-all$1" "$SALLYPORT_BIN" <<<'{
        "type": "sallyport", "name": "pods", "cniVersion": "1.0.0", "devices": ["eth0"],
        "gateways": {"namespaces": ["gateway"]}, "localAccess": false, "reservePorts": false,
        "bpffs": "/run/bpf", "stateDir": "/run/state", "logFile": "/run/log",
        "runtimeConfig": {"io.kubernetes.cri.pod-annotations": {
            "sallyport.dev/expose": "80:9080", "sallyport.dev/remap": "80:9080"}},
        "prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "198.51.100.7/32", "interface": 1}],
            "interfaces": [{"name": "lxc1"}, {"name": "eth0", "sandbox": "/run/netns/pod"}]}}'
}

plugin "$capabilities" ADD >$work/answer || { cat $work/answer; exit 1; }
plugin "$capabilities" DEL >$work/answer || { cat $work/answer; exit 1; }
[ ! -e $work/bpf/sallyport ] || { echo "DEL left something behind"; ls -R $work/bpf/sallyport; exit 1; }
if plugin "${capabilities/,+sys_admin/,+bpf,+perfmon}" ADD >$work/answer; then
    echo "SYS_ADMIN isn't needed: take it out of the manifest"
    exit 1
fi
grep -q "enter the pod's network namespace" $work/answer
echo "enough: ${capabilities//,+/ }"
