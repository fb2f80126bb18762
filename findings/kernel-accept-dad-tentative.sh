#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Linux: with net.ipv6.conf.*.accept_dad=0 ("disable DAD") a new IPv6 address is tentative all the same until a worker of the kernel
# has run; only `nodad` on the address itself makes it usable at once.
#
# The sysctl is read in addrconf_dad_begin(), in a work queue, where it ends the detection that inet6_addr_add() has marked the
# address for. IFA_F_NODAD keeps that mark off from the start. Until the worker's turn, bind() to the address fails with
# EADDRNOTAVAIL: microseconds on an idle machine, long enough to be met on a busy one. So a script that switches detection off
# by the sysctl, adds an address and starts a server on it works until the machine is loaded.
#
# Seen with kernel 6.18 and iproute2 6.1, of 200 addresses each, asked for in the same batch as they were added:
#   tentative with accept_dad=0: some
#   tentative with nodad: none
set -euo pipefail

inside()
{
    ip link set lo up
    ip link add left type veth peer name right
    for setting in all default left right; do echo 0 >/proc/sys/net/ipv6/conf/$setting/accept_dad; done
    ip link set left up
    ip link set right up
    for flag in '' nodad; do
        for i in $(seq 200); do
            printf 'addr add 2001:db8::%x/128 dev left %s\naddr show dev left to 2001:db8::%x tentative\n' "$i" "$flag" "$i"
        done >"$1"/batch
        tentative=$(ip -6 -batch "$1"/batch | grep -c 'inet6 2001:db8::' || true)
        echo "tentative with ${flag:-accept_dad=0}: $([ "$tentative" -gt 0 ] && echo some || echo none)"
        ip -6 addr flush dev left scope global
    done
}

if [ "${1:-}" = --inside ]; then
    inside "$2"
    exit
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unshare --net --mount "$0" --inside "$dir" | tee "$dir"/output
diff - "$dir"/output <<'WANTED' || { echo "changed" >&2; exit 1; }
tentative with accept_dad=0: some
tentative with nodad: none
WANTED
