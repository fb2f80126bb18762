#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# The arm64 image's program, run by qemu, answers as the one for this machine does. qemu has no bpf(2) to offer: what the programs
# do is shown by the packet and node tests, and that they are the same bytes on both is shown here.
. "$(dirname "$0")"/common.bash

need_image
need qemu-aarch64
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
test/image/oci.py bundle "$image" arm64 "$scratch/bundle"

# ask <what> <argument>...: the same question, with the same input, to both.
ask()
{
    same "arm64: $1" "$("$binary" "${@:2}" <"$input")" "$(qemu-aarch64 "$scratch/bundle/rootfs/sallyport" "${@:2}" <"$input")"
}

input=/dev/null
ask version version
ask help --help
for source in bpf/*.bpf.c; do
    program=$(basename "${source%.c}").o
    cmp build/skeletons/"$program" build/arm64/skeletons/"$program" || fail "$program is another on arm64"
done

input=$scratch/version.json
echo '{"cniVersion": "1.0.0"}' >"$input"
CNI_COMMAND=VERSION ask "CNI VERSION"

input=$scratch/plain.json
cat >"$input" <<EOF
{"cniVersion": "1.0.0", "name": "test", "type": "sallyport", "stateDir": "$scratch", "logFile": "$scratch/log",
 "prevResult": {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "/run/netns/plain"}],
                "ips": [{"interface": 0, "address": "10.0.0.7/24", "gateway": "10.0.0.1"}], "dns": {}}}
EOF
export CNI_COMMAND=ADD CNI_CONTAINERID=plain CNI_NETNS=/run/netns/plain CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
export CNI_ARGS='K8S_POD_NAMESPACE=default;K8S_POD_NAME=plain'
for program in "$binary" "qemu-aarch64 $scratch/bundle/rootfs/sallyport"; do
    # shellcheck disable=SC2086 # two words
    result=$($program <"$input") || fail "a plain pod's ADD by $program: $result"
    python3 - "$input" "$result" <<'EOF' || fail "a plain pod's ADD by $program doesn't return prevResult: $result"
import json, sys
sys.exit(json.load(open(sys.argv[1]))["prevResult"] != json.loads(sys.argv[2]))
EOF
done
