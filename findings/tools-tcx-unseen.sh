#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Debian 12's tc (iproute2 6.1) and bpftool 7.1 on a kernel with tcx (6.6 and later): a program that drops every packet of a
# device is invisible. tc lists no filter, bpftool net no program, and neither says that there is something it can't see.
#
# tcx links have a list of their own in the kernel, which `tc filter show` doesn't read in any version. bpftool reads it since
# 7.3; Debian 12's backports have 7.5. Whoever debugs a Cilium node of today with the tools of its distribution sees an empty
# device.
#
# Seen on Linux 6.18, iproute2 6.1.0 and bpftool 7.1.0 (Debian 12), bpftool 7.5.0 (its backports):
#   ping through the device    no answer
#   tc filter show             nothing
#   bpftool 7.1.0 net show     nothing
#   bpftool 7.5.0 net show     tcx/ingress
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "needs root: loads a BPF program" >&2; exit 2; }
if [ "${1:-}" != inside ]; then
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    for suite in bookworm bookworm-backports; do
        mkdir "$dir/$suite"
        (cd "$dir/$suite" && apt-get -qq -o APT::Sandbox::User=root download "bpftool/$suite" && dpkg-deb -x bpftool_*.deb .)
    done
    unshare --mount --net "$0" inside "$dir"
    exit
fi
dir=$2

mount -t tmpfs names /run
mkdir /run/netns
ip netns add peer
ip link add outside type veth peer name eth0 netns peer
ip addr add 10.0.0.1/24 dev outside
ip link set outside up
ip -n peer addr add 10.0.0.2/24 dev eth0
ip -n peer link set eth0 up
cat >"$dir"/attach.py <<'PYTHON'
import ctypes, platform, signal, socket, struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, LINK_CREATE = 5, 28
SCHED_CLS, TCX_INGRESS, TCX_DROP = 3, 46, 2
libc = ctypes.CDLL(None, use_errno=True)

def bpf(command, attributes):
    result = libc.syscall(SYS_BPF, command, ctypes.create_string_buffer(attributes, 128), 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result

drop = ctypes.create_string_buffer(struct.pack("<BBhi", 0xB7, 0, 0, TCX_DROP) + struct.pack("<BBhi", 0x95, 0, 0, 0))
license = ctypes.create_string_buffer(b"GPL")
program = bpf(PROG_LOAD, struct.pack("<IIQQ", SCHED_CLS, 2, ctypes.addressof(drop), ctypes.addressof(license)))
link = bpf(LINK_CREATE, struct.pack("<IIII", program, socket.if_nametoindex("outside"), TCX_INGRESS, 0))
print("attached", flush=True)
signal.pause()
PYTHON
ip netns exec peer ping -c 1 -W 5 10.0.0.1 >/dev/null # without the program
python3 "$dir"/attach.py >"$dir"/ready &
attached=$!
trap 'kill $attached' EXIT
until grep -q attached "$dir"/ready; do sleep 0.1; done

seen()
{
    printf '%-26s %s\n' "$1" "$(grep -o 'tcx/ingress\|cls_bpf\|bpf' | head -n 1 | grep . || echo nothing)"
}
{
    printf '%-26s %s\n' "ping through the device" "$(ip netns exec peer ping -c 1 -W 2 10.0.0.1 >/dev/null && echo answered || echo no answer)"
    tc filter show dev outside ingress | seen "tc filter show"
    for suite in bookworm bookworm-backports; do
        bpftool=$dir/$suite/usr/sbin/bpftool
        "$bpftool" net show | seen "bpftool $("$bpftool" version | sed -n '1s/.* v//p') net show"
    done
} | tee "$dir"/output
diff - "$dir"/output <<'WANTED' || { echo "changed" >&2; exit 1; }
ping through the device    no answer
tc filter show             nothing
bpftool 7.1.0 net show     nothing
bpftool 7.5.0 net show     tcx/ingress
WANTED
